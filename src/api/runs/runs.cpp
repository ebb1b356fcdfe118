// refresh(), trigger(), cancel() and the cleanup of the log.
#include <algorithm>

#include "api/access.hpp"
#include "api/arguments.hpp"
#include "api/runs/known_run.hpp"
#include "api/runs/refresh_now.hpp"
#include "api/shares.hpp"
#include "extension/own_schema.hpp"
#include "extension/privilege.hpp"
#include "extension/settings.hpp"
#include "pg/time.hpp"
#include "shmem/shmem.hpp"
#include "store/function_log.hpp"
#include "store/groups.hpp"
#include "store/one_time_jobs.hpp"

namespace metrics_refresh::api {
namespace {

std::string text_of(const std::optional<store::Strategy>& strategy) {
  return strategy ? store::to_text(*strategy) : "";
}

Datum refresh(FunctionCallInfo call) {
  const Arguments arguments(call);
  const RefreshedNow done =
      refresh_now(Arguments::required(arguments.get_oid(0), "view_name"),
                  store::from_argument<store::Strategy>(
                      "strategy", Arguments::required(arguments.get_text(1), "strategy")));
  const store::Outcome& outcome = done.outcome;
  JsonObject json;
  json.add("success", !outcome.error)
      .add("run_id", done.run_id)
      .add("duration_ms", done.duration_ms);
  if (outcome.error)
    json.add("message", outcome.error->message)
        .add("sqlstate", outcome.error->sqlstate)
        .add("detail", outcome.error->detail)
        .add("hint", outcome.error->hint);
  else
    json.add("strategy", text_of(outcome.strategy)).add("reason", outcome.strategy_reason);
  if (outcome.rows_total) json.add("rows", *outcome.rows_total);
  if (outcome.rows_inserted)
    json.add("rows_inserted", *outcome.rows_inserted)
        .add("rows_updated", outcome.rows_updated.value_or(0))
        .add("rows_deleted", outcome.rows_deleted.value_or(0));
  if (!outcome.error)
    json.add("message", outcome.strategy == store::Strategy::kSkip ? "fresh already" : "refreshed");
  return json.result();
}

Datum trigger(FunctionCallInfo call) {
  shmem::require_preloaded();
  const std::string name = Arguments::required(Arguments(call).get_text(0), "job_name");
  const std::string role = current_role();
  // Another session may delete the job and make another one with its name. Then the name is looked
  // up again.
  for (;;) {
    const store::JobRecord job = managed_job(name);
    std::optional<std::int64_t> run_id;
    extension::as_extension(
        [&](pg::Spi& spi) { run_id = store::insert_request(spi, job.id, role); });
    if (!run_id) continue;
    check_share_of_requests();
    return Int64GetDatum(*run_id);
  }
}

// Withdraws a request that no worker has taken yet. False if it was taken, or never existed.
bool withdraw(const store::Request& request, const store::JobRecord& job) {
  bool withdrawn = false;
  extension::as_extension([&](pg::Spi& spi) {
    // Waits for a worker that is taking the request, to learn whether its transaction commits.
    store::await_request(spi, request.run_id);
    withdrawn = store::withdraw_request(spi, request, job, pg::now());
  });
  return withdrawn;
}

Datum cancel(FunctionCallInfo call) {
  shmem::require_preloaded();
  const std::int64_t run_id = Arguments::required(Arguments(call).get_int64(0), "run_id");
  const KnownRun run = look_up(run_id);
  if (run.is_over()) return BoolGetDatum(false);
  std::optional<store::JobRecord> job;
  std::optional<store::Request> request;
  bool open_group = false;
  extension::as_extension([&](pg::Spi& spi) {
    job = store::job_of_run(spi, run_id);
    request = store::find_request(spi, run_id);
    open_group = store::is_open_group(spi, run_id);
  });
  if (!job && !extension::is_super_admin())
    throw pg::SqlError(ERRCODE_INSUFFICIENT_PRIVILEGE,
                       "permission denied for run " + std::to_string(run_id),
                       "Its job was removed; only a super admin may cancel the run.");
  // Raises an error unless the caller may manage the job. Visible runs include those of others.
  if (job) (void)managed_job(std::to_string(job->id));
  // A run that a worker has begun is canceled through shared memory, without a wait for its
  // request: the commit of the transaction that takes the request may stall.
  if (job && request && shmem::cancel_run(MyDatabaseId, run_id)) return BoolGetDatum(true);
  if (job && request && withdraw(*request, *job)) return BoolGetDatum(true);
  // A worker that held the request has committed by now. It may have planned the run of a group.
  if (request && !open_group)
    extension::as_extension([&](pg::Spi& spi) { open_group = store::is_open_group(spi, run_id); });
  if (!open_group) return BoolGetDatum(shmem::cancel_run(MyDatabaseId, run_id));
  // The scheduler cancels a group's run: it knows the members that are running, and no other member
  // may start meanwhile.
  if (!shmem::post_group_cancel(MyDatabaseId, run_id))
    throw pg::SqlError(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
                       "too many groups are being canceled at once", "Try again in a moment.");
  return BoolGetDatum(true);
}

Datum remove_logs(std::optional<Datum> older_than) {
  extension::require_super_admin("removing log rows");
  const pg::Param age =
      older_than ? pg::Param(INTERVALOID, *older_than) : pg::Param::null(INTERVALOID);
  const std::int64_t retention =
      std::chrono::duration_cast<std::chrono::minutes>(settings::log_retention()).count();
  std::int64_t removed = 0;
  extension::as_extension([&](pg::Spi& spi) {
    const pg::Rows rows = spi.query(
        "SELECT clock_timestamp() - a.age AS oldest_kept, a.age < interval '0' AS is_negative"
        " FROM (SELECT coalesce($1, make_interval(mins => $2::int))) AS a (age)",
        {age, retention});
    if (rows.get_bool(0, "is_negative"))
      throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "older_than must not be negative");
    const core::Instant oldest_kept = rows.get_instant(0, "oldest_kept");
    removed = store::remove_old_runs(spi, oldest_kept);
    store::remove_old_logs(spi, oldest_kept);
  });
  return Int64GetDatum(removed);
}

Datum cleanup_logs(FunctionCallInfo call) {
  const Arguments arguments(call);
  if (arguments.is_null(0)) return remove_logs(std::nullopt);
  return remove_logs(arguments.datum(0));
}

Datum cleanup_old_metrics_logs(FunctionCallInfo) { return remove_logs(std::nullopt); }

}  // namespace

MR_SQL_FUNCTION(mr_refresh, refresh);
MR_SQL_FUNCTION(mr_trigger, trigger);
MR_SQL_FUNCTION(mr_cancel, cancel);
MR_SQL_FUNCTION(mr_cleanup_logs, cleanup_logs);
MR_SQL_FUNCTION(mr_cleanup_old_metrics_logs, cleanup_old_metrics_logs);

}  // namespace metrics_refresh::api
