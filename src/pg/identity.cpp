#include "pg/identity.hpp"

namespace metrics_refresh::pg {

void keep_extension() {
  call([] {
    const Oid extension = get_extension_oid("metrics_refresh", true);
    if (OidIsValid(extension))
      LockDatabaseObject(ExtensionRelationId, extension, 0, AccessShareLock);
  });
}

}  // namespace metrics_refresh::pg
