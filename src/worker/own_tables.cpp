#include "core/scheduler/retry_policy.hpp"

#include "worker/own_tables.hpp"

namespace metrics_refresh::worker {

Attempt failed_attempt(const char* doing, store::RunError* error) {
  const store::RunError found = store::describe_current_error();
  log_current_exception(doing);
  if (error != nullptr) *error = found;
  return core::is_transient(found.sqlstate) ? Attempt::kLater : Attempt::kFailed;
}

}  // namespace metrics_refresh::worker
