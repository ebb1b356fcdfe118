// On whose behalf the code runs. Both scopes restore the caller at their end; where an exception
// leaves them, the transaction's or subtransaction's abort has the last word, as in the server.
#pragma once

#include "pg/guard.hpp"

namespace metrics_refresh::pg {

/// Runs as `role` until the scope ends. SET ROLE and SET SESSION AUTHORIZATION are refused
/// meanwhile (SECURITY_LOCAL_USERID_CHANGE), and what else `restriction` names.
class ActAs {
 public:
  explicit ActAs(Oid role, int restriction = 0) noexcept {
    GetUserIdAndSecContext(&saved_role_, &saved_context_);
    SetUserIdAndSecContext(role, saved_context_ | SECURITY_LOCAL_USERID_CHANGE | restriction);
  }
  ~ActAs() { SetUserIdAndSecContext(saved_role_, saved_context_); }
  ActAs(const ActAs&) = delete;
  ActAs& operator=(const ActAs&) = delete;

 private:
  Oid saved_role_;
  int saved_context_;
};

/// Runs `body` with `search_path` fixed to pg_catalog and pg_temp, so that no name in it can be
/// captured by an object of the caller's.
template <typename Body>
void with_fixed_search_path(Body&& body) {
  const int level = call([] {
    const int nested = NewGUCNestLevel();
    (void)set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
                            GUC_ACTION_SAVE, true, 0, false);
    return nested;
  });
  body();
  call([level] { AtEOXact_GUC(false, level); });
}

/// Until the settings' nest level ends, the session's restrict_nonsystem_relation_kind, which later
/// minor versions have, keeps nobody from reading views. REQUIRES: within call().
void allow_views();

/// The same for SQL of ours, which reads views of ours.
template <typename Body>
void with_own_sql(Body&& body) {
  with_fixed_search_path([&body] {
    call([] { allow_views(); });
    body();
  });
}

}  // namespace metrics_refresh::pg
