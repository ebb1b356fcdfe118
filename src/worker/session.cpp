#include "worker/session.hpp"

#include "pg/transaction.hpp"

namespace metrics_refresh::worker {

void reset_settings() {
  pg::in_transaction_without_snapshot([] { pg::call([] { ResetAllOptions(); }); });
}

bool reset_session() {
  Oid temporary = InvalidOid;
  Oid temporary_toast = InvalidOid;
  GetTempNamespaceState(&temporary, &temporary_toast);
  if (OidIsValid(temporary) || GetSessionUserId() != GetAuthenticatedUserId() ||
      GetUserId() != GetSessionUserId())
    return false;
  pg::release_replication_slots();
  pg::in_transaction_without_snapshot([] {
    pg::call([] {
      PortalHashTableDeleteAll();
      ResetAllOptions();
      DropAllPreparedStatements();
      Async_UnlistenAll();
      LockReleaseAll(USER_LOCKMETHOD, true);
      ResetSequenceCaches();
    });
  });
  return true;
}

}  // namespace metrics_refresh::worker
