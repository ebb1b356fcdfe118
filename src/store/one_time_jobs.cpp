// Jobs made for one run: for example a refresh on demand that a worker performs. The job is
// inserted with its request, and deleted when its run ends or its request is withdrawn. If a lock
// prevents the deletion, the scheduler's cleanup repeats it.
#include "store/one_time_jobs.hpp"

#include "pg/role.hpp"

namespace metrics_refresh::store {

std::int64_t next_run_id(pg::Spi& spi) {
  return spi.query("SELECT nextval('metrics_refresh_internal.run_id_seq') AS run_id")
      .get_int64(0, "run_id");
}

bool is_known_run(pg::Spi& spi, std::int64_t run_id) {
  return !spi.query(
                 "SELECT FROM metrics_refresh_internal.run_log WHERE run_id = $1 UNION ALL"
                 " SELECT FROM metrics_refresh_internal.run_request WHERE run_id = $1",
                 {run_id})
              .empty();
}

std::int64_t insert_one_time_refresh(pg::Spi& spi, const std::string& schema,
                                     const std::string& view, Oid owner, Strategy strategy) {
  return insert_one_time_job(
      spi, "refresh " + schema + "." + view, owner,
      {{"view_schema", schema}, {"view_name", view}, {"strategy", to_text(strategy)}});
}

std::int64_t insert_one_time_job(pg::Spi& spi, const std::string& purpose, Oid owner,
                                 Columns columns) {
  const std::int64_t number =
      spi.query("SELECT nextval('metrics_refresh_internal.job_id_seq') AS job_id")
          .get_int64(0, "job_id");
  // The unique index on names does not cover one-time jobs, because the check would wait for other
  // sessions. The number keeps their names apart.
  columns.emplace_back("job_id", number);
  columns.emplace_back("job_name", purpose + " #" + std::to_string(number));
  columns.emplace_back("owner", pg::role_name(owner));
  columns.emplace_back("owner_oid", pg::Param::oid(owner));
  columns.emplace_back("one_time", true);
  return insert_job(spi, columns).value();
}

// SKIP LOCKED: a session that may manage the job can hold its row as long as it wants.
RequestResult insert_numbered_request(pg::Spi& spi, std::int64_t run_id, std::int64_t job_id,
                                      Oid requested_by) {
  const bool asked =
      !spi.query(
              "INSERT INTO metrics_refresh_internal.run_request"
              " (run_id, job_id, requested_by, requested_by_oid)"
              " SELECT $1, job_id, $3, $4 FROM metrics_refresh_internal.job WHERE job_id = $2"
              " FOR KEY SHARE SKIP LOCKED RETURNING run_id",
              {run_id, job_id, pg::role_name(requested_by), pg::Param::oid(requested_by)})
           .empty();
  if (asked) return RequestResult::kYes;
  return find_job(spi, job_id) ? RequestResult::kHeld : RequestResult::kGone;
}

bool withdraw_request(pg::Spi& spi, const Request& request, const JobRecord& job,
                      core::Instant now) {
  // A worker may have taken the request first.
  if (!take_request(spi, request.run_id)) return false;
  RunHead head = head_of(job);
  head.run_id = request.run_id;
  head.manual = true;
  head.initiated_by = request.requested_by;
  head.started = now;
  Outcome outcome;
  outcome.status = RunStatus::kCanceled;
  outcome.error = run_error(ERRCODE_QUERY_CANCELED, "canceled before it began");
  log_ended_run(spi, head, outcome);
  if (job.one_time) remove_one_time_job(spi, job.id);
  return true;
}

// query_latest() uses a new snapshot. The caller may run in a repeatable read transaction that
// began before the run ended. The request is looked up first: a request that becomes a row in the
// log between the two queries is then found in the log.
KnownOutcome latest_outcome(pg::Spi& spi, std::int64_t run_id) {
  KnownOutcome known;
  {
    const pg::Rows requests = spi.query_latest(
        "SELECT FROM metrics_refresh_internal.run_request WHERE run_id = $1", {run_id});
    known.is_queued = !requests.empty();
  }
  const pg::Rows rows = spi.query_latest(
      "SELECT status, strategy, strategy_reason, rows_total, rows_inserted, rows_updated,"
      " rows_deleted, coalesce(duration_ms, 0) AS duration_ms, error_message, sqlstate,"
      " error_detail, error_hint"
      " FROM metrics_refresh_internal.run_log WHERE run_id = $1",
      {run_id});
  if (rows.empty()) return known;
  const auto text = [&rows](const char* column) { return rows.get_text_or_empty(0, column); };
  Outcome& outcome = known.outcome.emplace();
  outcome.status = from_column<RunStatus>(text("status"));
  outcome.strategy = find_value<Strategy>(text("strategy"));
  outcome.strategy_reason = text("strategy_reason");
  outcome.rows_total = rows.get_int64_or_null(0, "rows_total");
  outcome.rows_inserted = rows.get_int64_or_null(0, "rows_inserted");
  outcome.rows_updated = rows.get_int64_or_null(0, "rows_updated");
  outcome.rows_deleted = rows.get_int64_or_null(0, "rows_deleted");
  known.duration_ms = rows.get_float8(0, "duration_ms");
  if (outcome.status != RunStatus::kSuccess && outcome.status != RunStatus::kRunning)
    outcome.error = RunError{text("error_message"), text("sqlstate"), text("error_detail"),
                             text("error_hint"), ""};
  return known;
}

namespace {

// Deleting a job deletes requests through the foreign key and members through the trigger. Both
// would wait for row locks. True if all these rows could be locked. While the job itself is locked,
// no row can be added.
bool lock_dependent_rows(pg::Spi& spi, std::int64_t job_id) {
  const pg::Rows rows = spi.query(
      "WITH locked AS (SELECT FROM metrics_refresh_internal.run_request WHERE job_id = $1"
      "  FOR UPDATE SKIP LOCKED),"
      " members AS (SELECT FROM metrics_refresh_internal.job_member WHERE job_id = $1"
      "  FOR UPDATE SKIP LOCKED)"
      " SELECT (SELECT count(*) FROM locked) + (SELECT count(*) FROM members) ="
      " (SELECT count(*) FROM metrics_refresh_internal.run_request WHERE job_id = $1)"
      " + (SELECT count(*) FROM metrics_refresh_internal.job_member WHERE job_id = $1)"
      " AS all_locked",
      {job_id});
  return rows.get_bool(0, "all_locked");
}

}  // namespace

void remove_one_time_job(pg::Spi& spi, std::int64_t job_id) {
  if (spi.query("SELECT FROM metrics_refresh_internal.job WHERE job_id = $1 AND one_time"
                " FOR UPDATE SKIP LOCKED",
                {job_id})
          .empty())
    return;
  if (!lock_dependent_rows(spi, job_id)) return;
  spi.query("DELETE FROM metrics_refresh_internal.job WHERE job_id = $1", {job_id});
  spi.query("DELETE FROM metrics_refresh_internal.job_state WHERE job_id = $1", {job_id});
}

// A job is finished if no request, active run, open group run or retry refers to it.
void remove_finished_one_time_jobs(pg::Spi& spi) {
  const pg::Rows rows = spi.query(
      "SELECT job_id FROM metrics_refresh_internal.job j WHERE one_time"
      " AND NOT EXISTS (SELECT FROM metrics_refresh_internal.run_request r WHERE r.job_id = "
      "j.job_id)"
      " AND NOT EXISTS (SELECT FROM metrics_refresh_internal.active_run a WHERE a.job_id = "
      "j.job_id)"
      " AND NOT EXISTS (SELECT FROM metrics_refresh_internal.group_run_member m WHERE m.job_id = "
      "j.job_id)"
      " AND NOT EXISTS (SELECT FROM metrics_refresh_internal.job_state s WHERE s.job_id = j.job_id"
      "  AND s.retry_at IS NOT NULL)");
  for (std::size_t i = 0; i < rows.size(); ++i)
    remove_one_time_job(spi, rows.get_int64(i, "job_id"));
}

}  // namespace metrics_refresh::store
