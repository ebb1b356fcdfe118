#include "pg/identity.hpp"

namespace metrics_refresh::pg {
namespace {

// Of a role. The server takes such locks of whole objects, and SQL has no way to name a part.
constexpr uint16 kImports = 1;

LOCKTAG tag_of(Oid extension) noexcept {
  LOCKTAG tag;
  SET_LOCKTAG_OBJECT(tag, MyDatabaseId, ExtensionRelationId, extension, 0);
  return tag;
}

PGPROC* process_of(VirtualTransactionId holder) noexcept {
#if PG_VERSION_NUM >= 170000
  return ProcNumberGetProc(holder.procNumber);
#else
  return BackendIdGetProc(holder.backendId);
#endif
}

bool may_drop(Oid role, Oid extension) {
#if PG_VERSION_NUM >= 160000
  return object_ownercheck(ExtensionRelationId, extension, role);
#else
  return pg_extension_ownercheck(extension, role);
#endif
}

// Whether the lock is held against us by one who may drop the extension.
bool is_being_dropped(const LOCKTAG& tag, Oid extension) {
  int count = 0;
  const VirtualTransactionId* holders = GetLockConflicts(&tag, AccessShareLock, &count);
  for (int i = 0; i < count; ++i) {
    PGPROC* const process = process_of(holders[i]);
    if (process != nullptr && OidIsValid(process->roleId) && may_drop(process->roleId, extension))
      return true;
  }
  return false;
}

}  // namespace

void keep_extension() {
  call([] {
    const Oid extension = get_extension_oid("metrics_refresh", true);
    if (!OidIsValid(extension)) return;
    const LOCKTAG tag = tag_of(extension);
    const LockAcquireResult result = LockAcquire(&tag, AccessShareLock, false, true);
    if (result == LOCKACQUIRE_NOT_AVAIL) {
      if (!is_being_dropped(tag, extension)) return;
      (void)LockAcquire(&tag, AccessShareLock, false, false);
    }
    AcceptInvalidationMessages();
  });
}

void lock_imports(Oid role) {
  call([role] { LockDatabaseObject(AuthIdRelationId, role, kImports, ExclusiveLock); });
}

}  // namespace metrics_refresh::pg
