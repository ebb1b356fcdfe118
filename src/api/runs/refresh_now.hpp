// A refresh in the caller's session and transaction, if the caller has the rights of the view's
// owner. Otherwise a worker performs it (hand_over.hpp). The refresh is logged, and an error is
// returned instead of raised.
#pragma once

#include "pg/role_setting.hpp"
#include "store/runs.hpp"

namespace metrics_refresh::api {

struct RefreshedNow {
  std::int64_t run_id;
  store::Outcome outcome;
  double duration_ms;
};

/// Throws pg::SqlError 42501 if the caller may not refresh the view, and 42809 if it is no
/// materialized view. A cancellation of the query is passed on. Any other error is rolled back,
/// logged and returned. In the caller's session the refresh uses the settings of the view's owner
/// (owner_settings.hpp) and those in `of_group`. Without a group, it uses those of the view's own
/// jobs (own_jobs.hpp). A worker reads them itself.
RefreshedNow refresh_now(Oid view, store::Strategy strategy,
                         const pg::Settings* of_group = nullptr);

/// Logs and returns the error of a refresh of a view that does not exist.
RefreshedNow refresh_of_missing_view(const std::string& schema, const std::string& name);

}  // namespace metrics_refresh::api
