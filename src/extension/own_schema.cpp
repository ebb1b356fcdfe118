#include "extension/own_schema.hpp"

namespace metrics_refresh::extension {
namespace {

// Of a role. The server takes such locks of whole objects, and SQL has no way to name a part.
constexpr uint16 kImports = 1;

}  // namespace

Relation open_own_table(const char* name, LOCKMODE mode) {
  const Oid schema = get_namespace_oid(kInternalSchema, true);
  const Oid table = OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
  return OidIsValid(table) ? try_table_open(table, mode) : nullptr;
}

void keep_extension() {
  pg::call([] {
    const Oid extension = get_extension_oid("metrics_refresh", true);
    if (OidIsValid(extension))
      LockDatabaseObject(ExtensionRelationId, extension, 0, AccessShareLock);
  });
}

void lock_imports(Oid role) {
  pg::call([role] { LockDatabaseObject(AuthIdRelationId, role, kImports, ExclusiveLock); });
}

}  // namespace metrics_refresh::extension
