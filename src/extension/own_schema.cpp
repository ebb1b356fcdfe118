// Access to the private schema and tables. Lookups by name are needed, because the oids differ
// between databases and change when the extension is created again.
#include "extension/own_schema.hpp"

namespace metrics_refresh::extension {
namespace {

// Object sub-id for the lock on imports of a role. The server locks roles as a whole, with sub-id
// 0. SQL cannot name another one.
constexpr uint16 kImports = 1;

}  // namespace

Relation open_own_table(const char* name, LOCKMODE mode) {
  const Oid schema = get_namespace_oid(kInternalSchema, true);
  const Oid table = OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
  return OidIsValid(table) ? try_table_open(table, mode) : nullptr;
}

void lock_extension() {
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
