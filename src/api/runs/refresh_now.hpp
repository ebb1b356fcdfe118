// A refresh in the caller's own session and transaction, where he has the rights of the view's
// owner, else in a worker (hand_over.hpp): logged, and its error told, not raised.
#pragma once

#include "engine/strategy/choose.hpp"
#include "pg/role_setting.hpp"
#include "store/runs.hpp"

namespace metrics_refresh::api {

struct RefreshedNow {
  std::int64_t run_id;
  store::Outcome outcome;
  double duration_ms;
};

/// Throws pg::SqlError 42501 where the caller may not refresh the view, 42809 where it is none; a
/// cancelled query keeps flying. Whatever else goes wrong is rolled back, logged and returned.
/// In the caller's session it runs with the settings of the view's owner (owner_settings.hpp), and
/// with those `of_job`, which a worker reads by itself.
RefreshedNow refresh_now(Oid view, engine::Requested requested, const pg::Settings& of_job = {});

/// Logs and returns the error of a refresh of a view that does not exist.
RefreshedNow refresh_of_missing_view(const std::string& schema, const std::string& name);

}  // namespace metrics_refresh::api
