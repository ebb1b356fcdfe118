#include "api/runs/known_run.hpp"

#include "api/access.hpp"
#include "extension/own_schema.hpp"
#include "store/runs.hpp"

namespace metrics_refresh::api {
namespace {

// The status of a run whose job the caller may manage. The row in the log may belong to the view of
// another role, so that row-level security hides it.
std::optional<store::RunStatus> status_for_manager(std::int64_t run_id) {
  std::optional<store::JobKey> job;
  std::optional<store::RunStatus> status;
  extension::as_extension([&](pg::Spi& spi) {
    if (const auto found = store::job_of_run(spi, run_id)) job = store::find_key(spi, found->id);
    if (job) status = store::run_status(spi, run_id);
  });
  if (!job || !may_manage(*job)) return std::nullopt;
  return status;
}

}  // namespace

KnownRun look_up(std::int64_t run_id) {
  std::optional<store::RunStatus> status;
  bool requested_here = false;
  // With the rights of the caller: a role that can see a run may wait for it.
  pg::with_own_sql([&] {
    pg::Spi spi;
    status = store::run_status(spi, run_id);
  });
  if (!status) status = status_for_manager(run_id);
  if (!status)
    throw pg::SqlError(ERRCODE_UNDEFINED_OBJECT,
                       "run " + std::to_string(run_id) + " does not exist",
                       "trigger() returns the numbers of runs; metrics_refresh.run_log lists "
                       "those that you may see.");
  if (status == store::RunStatus::kQueued)
    extension::as_extension(
        [&](pg::Spi& spi) { requested_here = store::is_requested_here(spi, run_id); });
  return {*status, requested_here};
}

}  // namespace metrics_refresh::api
