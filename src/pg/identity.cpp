#include "pg/identity.hpp"

namespace metrics_refresh::pg {
namespace {

// Of a role. The server takes such locks of whole objects, and SQL has no way to name a part.
constexpr uint16 kImports = 1;

}  // namespace

void allow_views() {
  static const char kRestricted[] = "restrict_nonsystem_relation_kind";
  const char* value = GetConfigOption(kRestricted, true, false);
  if (value == nullptr || *value == '\0') return;
  (void)set_config_option(kRestricted, "", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
                          false);
}

void keep_extension() {
  call([] {
    const Oid extension = get_extension_oid("metrics_refresh", true);
    if (OidIsValid(extension))
      LockDatabaseObject(ExtensionRelationId, extension, 0, AccessShareLock);
  });
}

void lock_imports(Oid role) {
  call([role] { LockDatabaseObject(AuthIdRelationId, role, kImports, ExclusiveLock); });
}

}  // namespace metrics_refresh::pg
