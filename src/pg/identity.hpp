// The role that code runs as. The scopes restore the previous role at their end. If an exception
// leaves a scope, the abort of the transaction or subtransaction restores it finally, as in the
// server.
#pragma once

#include "pg/guard.hpp"

namespace metrics_refresh::pg {

/// Runs as `role` until the scope ends. SET ROLE and SET SESSION AUTHORIZATION are rejected in it
/// (SECURITY_LOCAL_USERID_CHANGE). `restriction` adds further flags.
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

/// Runs `body` with `search_path` fixed to pg_catalog and pg_temp. No object of the caller can then
/// replace an object that is meant.
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

/// Allows reading views until the nest level of settings ends, even if the session sets
/// restrict_nonsystem_relation_kind. Later minor versions have this setting. REQUIRES: inside
/// call().
void allow_views();

/// The same search_path for SQL of this extension, which also reads its views.
template <typename Body>
void with_own_sql(Body&& body) {
  with_fixed_search_path([&body] {
    call([] { allow_views(); });
    body();
  });
}

}  // namespace metrics_refresh::pg
