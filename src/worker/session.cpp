#include "worker/session.hpp"

#include "extension/own_schema.hpp"
#include "pg/role.hpp"
#include "pg/role_setting.hpp"
#include "pg/session_user.hpp"
#include "pg/spi.hpp"
#include "pg/transaction.hpp"
#include "worker/process.hpp"

namespace metrics_refresh::worker {
namespace {

// The existence of a temporary schema proves nothing, because REFRESH ... CONCURRENTLY leaves an
// empty one. Tables, functions, types and other objects in it depend on the schema.
bool has_temporary_objects() {
  Oid schema = InvalidOid;
  Oid toast_schema = InvalidOid;
  GetTempNamespaceState(&schema, &toast_schema);
  if (!OidIsValid(schema)) return false;
  bool found = false;
  pg::in_transaction([&found, schema] {
    extension::as_extension([&found, schema](pg::Spi& spi) {
      found = !spi.query(
                      "SELECT FROM pg_catalog.pg_depend WHERE refclassid ="
                      " 'pg_catalog.pg_namespace'::pg_catalog.regclass AND refobjid = $1 LIMIT 1",
                      {pg::Param::oid(schema)})
                   .empty();
    });
  });
  return found;
}

// The properties that a session keeps from its start, even if ALTER ROLE or ALTER DATABASE changes
// them later.
struct RoleState {
  pg::Settings settings;
  bool superuser = false;

  bool operator==(const RoleState& other) const {
    return superuser == other.superuser && settings == other.settings;
  }
};

void reset() {
  pg::release_replication_slots();
  set_process_settings();  // so that transaction_timeout does not end this transaction
  pg::in_transaction_without_snapshot([] {
    pg::call([] {
      PortalHashTableDeleteAll();
      ResetAllOptions();
      DropAllPreparedStatements();
      Async_UnlistenAll();
      LockReleaseAll(USER_LOCKMETHOD, true);
      ResetSequenceCaches();
    });
    set_process_settings();
  });
}

}  // namespace

SessionState session_state() {
  static std::optional<RoleState> at_login;
  try {
    RoleState current;
    bool has_superusers = false;
    pg::in_transaction_without_snapshot([&] {
      current.settings = pg::settings_of_role(GetSessionUserId());
      current.superuser = pg::is_superuser(GetSessionUserId());
      // ALTER ROLE may have come between the login and this transaction.
      if (!at_login) has_superusers = pg::has_session_of_superuser();
    });
    if (!at_login) at_login = RoleState{current.settings, has_superusers};
    return current == *at_login ? SessionState::kCurrent : SessionState::kOutdated;
  } catch (const std::exception&) {
    log_current_exception("the settings of a worker's owner cannot be read");
    return SessionState::kUnknown;
  }
}

void reset_settings() {
  set_process_settings();
  pg::in_transaction_without_snapshot([] {
    pg::call([] { ResetAllOptions(); });
    set_process_settings();
  });
}

bool reset_session() {
  if (GetSessionUserId() != GetAuthenticatedUserId() || GetUserId() != GetSessionUserId())
    return false;
  try {
    reset();
    return !has_temporary_objects();
  } catch (const std::exception&) {
    log_current_exception("a worker's session cannot be reset");
    return false;
  }
}

}  // namespace metrics_refresh::worker
