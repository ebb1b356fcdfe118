// Writes the log.
//
// A run has one row in run_log. insert_head() inserts it when the run begins, and complete() fills
// in the outcome. Both also maintain job_state, in the same statement, so that a crash cannot
// separate the log from the state. active_run lists the runs that have begun and not ended. After a
// crash its rows show which runs have to be closed as interrupted.
#include "store/runs.hpp"

#include <sys/resource.h>

#include "store/failures.hpp"
#include "store/shares.hpp"

namespace metrics_refresh::store {
namespace {

using pg::Param;

Param cut_text_or_null(const std::string& text) { return Param::text_or_null(cut_for_log(text)); }

// Rows deleted by one statement. Between batches the cleanup can be canceled.
constexpr std::int64_t kCleanupBatch = 5000;

const char* triggered_by(const RunHead& head) {
  if (head.dependency) return "dependency";
  if (head.manual) return "manual";
  return head.attempt > 1 ? "retry" : "schedule";
}

std::int64_t insert_head(pg::Spi& spi, const RunHead& head, RunStatus status) {
  // One statement, because each run executes it. A manual run ($18) does not cancel a pending
  // retry, but any other run clears it.
  return spi
      .query(
          "WITH head AS (INSERT INTO metrics_refresh_internal.run_log (run_id, job_id, job_name,"
          "  group_run_id, view_schema, view_name, command, owner, owner_oid, triggered_by,"
          "  initiated_by, due_at, started_at, finished_at, status, attempt, worker_pid)"
          "  VALUES (coalesce($1, nextval('metrics_refresh_internal.run_id_seq')), $2, $3, $4, $5, "
          "$6, $7,"
          "  $8, $9, $10, $11, $12, $13, CASE WHEN $14 <> 'running' THEN clock_timestamp() END,"
          "  $14, $15::int4, $16::int4) RETURNING run_id, job_id, started_at),"
          " active AS (INSERT INTO metrics_refresh_internal.active_run"
          "  SELECT run_id, coalesce(job_id, $17) FROM head WHERE $14 = 'running'),"
          " state AS (INSERT INTO metrics_refresh_internal.job_state AS s (job_id, handled_until,"
          "  last_run_id, last_started_at, last_status)"
          "  SELECT h.job_id, $19, h.run_id, h.started_at, 'running'"
          "  FROM head h JOIN metrics_refresh_internal.job j USING (job_id) WHERE $14 = 'running'"
          "  ON CONFLICT (job_id) DO UPDATE SET last_run_id = EXCLUDED.last_run_id,"
          "  handled_until = coalesce(EXCLUDED.handled_until, s.handled_until),"
          "  last_started_at = EXCLUDED.last_started_at, last_status = 'running',"
          "  retry_at = CASE WHEN $18 THEN s.retry_at END,"
          "  retry_due = CASE WHEN $18 THEN s.retry_due END,"
          "  retry_attempt = CASE WHEN $18 THEN s.retry_attempt END)"
          " SELECT run_id FROM head",
          {Param::nullable(head.run_id, INT8OID), Param::nullable(head.job_id, INT8OID),
           Param::nullable(head.job_name, TEXTOID), Param::nullable(head.group_run_id, INT8OID),
           cut_text_or_null(head.view_schema), cut_text_or_null(head.view_name),
           cut_text_or_null(head.command), cut_text_or_null(head.owner), Param::oid(head.owner_oid),
           triggered_by(head), cut_text_or_null(head.initiated_by),
           Param::nullable(head.due, TIMESTAMPTZOID), head.started, to_text(status), head.attempt,
           head.worker_pid, head.group_job_id, head.manual,
           Param::nullable(head.handled_until, TIMESTAMPTZOID)})
      .get_int64(0, "run_id");
}

struct Ended {
  bool found;
  bool suspended;
};

// greatest(): the clock may have been set back since the run started.
constexpr char kComplete[] =
    "WITH ended AS (UPDATE metrics_refresh_internal.run_log SET finished_at = greatest(t.now, "
    "started_at),"
    "  duration_ms = greatest(extract(epoch FROM t.now - started_at) * 1000, 0), status = $2,"
    "  strategy = $3, strategy_reason = $4, error_message = $5, sqlstate = $6,"
    "  error_detail = $7, error_hint = $8, error_context = $9, rows_total = $10,"
    "  missed = $11, wal_bytes = $12, buffers_hit = $13, buffers_read = $14,"
    "  cpu_ms = $15, rows_inserted = $23, rows_updated = $24, rows_deleted = $25, result = $26,"
    "  notices = $27 FROM (SELECT clock_timestamp() AS now) t"
    "  WHERE run_id = $1 AND status = $16"
    "  RETURNING run_id, job_id, status, finished_at, error_message, owner_oid)";
constexpr char kAndState[] =
    ", gone AS (DELETE FROM metrics_refresh_internal.active_run a USING ended"
    "  WHERE a.run_id = ended.run_id),"
    " state AS (UPDATE metrics_refresh_internal.job_state s SET last_finished_at = l.finished_at,"
    "  last_status = l.status, handled_until = greatest(s.handled_until, $19),"
    "  last_success_at = CASE WHEN $17 THEN l.finished_at ELSE s.last_success_at END,"
    "  last_error = CASE WHEN $17 THEN NULL ELSE coalesce(l.error_message, s.last_error) END,"
    "  error_owner_oid = CASE WHEN $17 THEN NULL WHEN l.error_message IS NULL"
    "   THEN s.error_owner_oid ELSE l.owner_oid END,"
    "  consecutive_failures = CASE WHEN $17 THEN 0 WHEN s.last_finished_at < f.since THEN 0"
    "   ELSE s.consecutive_failures END + CASE WHEN l.status = 'error' THEN 1 ELSE 0 END,"
    "  permanent_failures = CASE WHEN $17 THEN 0 WHEN s.last_finished_at < f.since THEN 0"
    "   ELSE s.permanent_failures END + CASE WHEN $18 THEN 1 ELSE 0 END,"
    "  interruptions = CASE WHEN l.status <> 'interrupted' THEN 0"
    "   WHEN s.last_finished_at < f.since THEN 1 ELSE s.interruptions + 1 END,"
    "  retry_at = coalesce($20, s.retry_at), retry_due = coalesce($21, s.retry_due),"
    "  retry_attempt = coalesce($22::int4, s.retry_attempt)"
    "  FROM ended l CROSS JOIN LATERAL (SELECT coalesce((SELECT effective_from"
    "   FROM metrics_refresh_internal.job j WHERE j.job_id = l.job_id), '-infinity')) f (since)"
    "  WHERE s.job_id = l.job_id"
    "  RETURNING s.job_id, s.permanent_failures, s.interruptions,"
    "  coalesce(s.suspended_at > f.since, false) AS suspended)"
    " SELECT state.job_id, state.permanent_failures::int8, state.interruptions::int8,"
    " coalesce(state.suspended, true) AS suspended"
    " FROM ended LEFT JOIN state ON true";
// For a run that is logged after its end. This is a separate statement: with one for both cases the
// server would make a new plan for each run.
constexpr char kAlone[] = " SELECT true AS suspended FROM ended";

// Completes the row of run_log, if its status is still `expected`, and the state of its job.
Ended complete_row(pg::Spi& spi, std::int64_t run_id, const Outcome& outcome, RunStatus expected,
                   int suspend_after) {
  const RunError error = outcome.error.value_or(RunError{});
  const bool failure = outcome.status == RunStatus::kError;
  const core::Retry retry = outcome.retry.value_or(core::Retry{});
  // Failures count from the latest success, or from the time when the job was rescheduled or
  // resumed. Only the runs of a job write its row of job_state, so this statement does not wait for
  // locks of other sessions.
  const bool with_state = expected == RunStatus::kRunning;
  const pg::Rows rows =
      spi.query(std::string(kComplete) + (with_state ? kAndState : kAlone),
                {run_id,
                 to_text(outcome.status),
                 outcome.strategy ? Param(to_text(*outcome.strategy)) : Param::null(TEXTOID),
                 cut_text_or_null(outcome.strategy_reason),
                 cut_text_or_null(error.message),
                 cut_text_or_null(error.sqlstate),
                 cut_text_or_null(error.detail),
                 cut_text_or_null(error.hint),
                 cut_text_or_null(error.context),
                 Param::nullable(outcome.rows_total, INT8OID),
                 outcome.missed,
                 outcome.usage.wal_bytes,
                 outcome.usage.buffers_hit,
                 outcome.usage.buffers_read,
                 outcome.usage.cpu_ms,
                 to_text(expected),
                 outcome.status == RunStatus::kSuccess,
                 failure && outcome.permanent,
                 Param::nullable(outcome.last_missed, TIMESTAMPTZOID),
                 outcome.retry ? Param(retry.at) : Param::null(TIMESTAMPTZOID),
                 outcome.retry ? Param(retry.due) : Param::null(TIMESTAMPTZOID),
                 outcome.retry ? Param(retry.attempt) : Param::null(INT8OID),
                 Param::nullable(outcome.rows_inserted, INT8OID),
                 Param::nullable(outcome.rows_updated, INT8OID),
                 Param::nullable(outcome.rows_deleted, INT8OID),
                 cut_text_or_null(outcome.result),
                 Param::text_or_null(outcome.notices)});
  if (rows.empty()) return {false, false};
  // The job is suspended already, or the run has no job. kAlone has no other columns.
  if (rows.get_bool(0, "suspended")) return {true, false};
  const std::int64_t failures = rows.get_int64(0, "permanent_failures");
  const std::int64_t interruptions = rows.get_int64(0, "interruptions");
  std::string reason;
  if (failure && outcome.permanent && suspend_after > 0 && failures >= suspend_after)
    reason = std::to_string(failures) +
             " permanent failures in a row, the last: " + cut_for_log(error.message);
  else if (interruptions >= kSuspendAfterInterruptions)
    reason = "its worker ended before the run did " + std::to_string(interruptions) +
             " times in a row; see the server log";
  else
    return {true, false};
  spi.query(
      "UPDATE metrics_refresh_internal.job_state SET suspended_at = clock_timestamp(), "
      "suspend_reason = $2"
      " WHERE job_id = $1",
      {rows.get_int64(0, "job_id"), reason});
  return {true, true};
}

// The same, and logs a failure. All ends of runs come here.
Ended complete(pg::Spi& spi, std::int64_t run_id, const Outcome& outcome, RunStatus expected,
               int suspend_after) {
  const Ended ended = complete_row(spi, run_id, outcome, expected, suspend_after);
  const bool failure =
      outcome.status == RunStatus::kError || outcome.status == RunStatus::kInterrupted;
  if (ended.found && failure) log_failure_of_run(spi, run_id);
  return ended;
}

std::string text(const char* value) { return value != nullptr ? value : ""; }

std::string sqlstate_text(int code) { return std::string(unpack_sql_state(code), 5); }

double milliseconds(const timeval& t) {
  return static_cast<double>(t.tv_sec) * 1000.0 + static_cast<double>(t.tv_usec) / 1000.0;
}

}  // namespace

RunHead head_of(const JobRecord& job) {
  RunHead head;
  head.job_id = job.id;
  head.job_name = job.name;
  head.view_schema = job.view_schema;
  head.view_name = job.view_name;
  head.command = job.command;
  head.owner = job.owner;
  head.owner_oid = job.owner_oid;
  return head;
}

std::int64_t begin_run(pg::Spi& spi, const RunHead& head) {
  return insert_head(spi, head, RunStatus::kRunning);
}

bool end_run(pg::Spi& spi, std::int64_t run_id, const Outcome& outcome, int suspend_after) {
  const Ended ended = complete(spi, run_id, outcome, RunStatus::kRunning, suspend_after);
  if (!ended.found)
    // The scheduler closed the run as interrupted. A second outcome must not overwrite the first
    // one.
    throw pg::SqlError(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                       "run " + std::to_string(run_id) + " is no longer running in the log");
  return ended.suspended;
}

// No run starts before its due time. The condition on started_at lets the server use the index on
// (job_id, started_at).
bool is_logged(pg::Spi& spi, const RunHead& head) {
  return !spi.query(
                 "SELECT FROM metrics_refresh_internal.run_log WHERE run_id = $1 OR (job_id = $2"
                 " AND due_at = $3 AND started_at >= $3 AND attempt = $4"
                 " AND triggered_by IN ('schedule', 'retry')) LIMIT 1",
                 {Param::nullable(head.run_id, INT8OID), Param::nullable(head.job_id, INT8OID),
                  Param::nullable(head.due, TIMESTAMPTZOID), head.attempt})
              .empty();
}

std::int64_t log_ended_run(pg::Spi& spi, const RunHead& head, const Outcome& outcome) {
  const std::int64_t run_id = insert_head(spi, head, outcome.status);
  (void)complete(spi, run_id, outcome, outcome.status, 0);
  return run_id;
}

std::int64_t log_skipped_run(pg::Spi& spi, const RunHead& head, const std::string& reason) {
  // If the job was skipped the last time with the same text, only the times in job_state move on.
  const bool repeated = !spi.query(
                                "UPDATE metrics_refresh_internal.job_state SET handled_until = "
                                "coalesce($2, handled_until),"
                                " last_finished_at = clock_timestamp()"
                                " WHERE job_id = $1 AND last_status = 'skipped' AND last_error = $3"
                                " AND last_finished_at >= (SELECT j.effective_from FROM "
                                "metrics_refresh_internal.job j"
                                "  WHERE j.job_id = $1)"
                                " RETURNING job_id",
                                {Param::nullable(head.job_id, INT8OID),
                                 Param::nullable(head.handled_until, TIMESTAMPTZOID), reason})
                             .empty();
  // A run with a number was requested, and its caller may wait for it. It is always logged.
  if (repeated && !head.run_id) return 0;
  const std::int64_t run_id = begin_run(spi, head);
  Outcome outcome;
  outcome.status = RunStatus::kSkipped;
  outcome.error = run_reason(reason);
  end_run(spi, run_id, outcome, 0);
  return run_id;
}

// A deleted row comes back if this transaction aborts, so that no orphan is lost.
std::vector<Orphan> take_orphans(pg::Spi& spi, const std::vector<std::int64_t>& live_runs,
                                 const std::vector<std::int64_t>& beginning_jobs) {
  const pg::Rows rows = spi.query(
      "DELETE FROM metrics_refresh_internal.active_run a WHERE run_id <> ALL ($1)"
      " AND job_id <> ALL ($2) AND NOT EXISTS (SELECT FROM "
      "metrics_refresh_internal.group_run_member m"
      "  WHERE m.group_run_id = a.run_id) RETURNING run_id, job_id",
      {Param::array(live_runs), Param::array(beginning_jobs)});
  std::vector<Orphan> orphans;
  for (std::size_t i = 0; i < rows.size(); ++i)
    orphans.push_back({rows.get_int64(i, "run_id"), rows.get_int64(i, "job_id")});
  return orphans;
}

bool close_orphan(pg::Spi& spi, const Orphan& orphan, const Outcome& outcome, int suspend_after) {
  return complete(spi, orphan.run_id, outcome, RunStatus::kRunning, suspend_after).suspended;
}

// SKIP LOCKED in all four statements: cleanup can skip a row until the next time, but a run must
// not wait for it.
std::int64_t remove_old_runs(pg::Spi& spi, core::Instant limit) {
  spi.query(
      "DELETE FROM metrics_refresh_internal.job_state WHERE job_id = ANY (ARRAY("
      " SELECT job_id FROM metrics_refresh_internal.job_state s WHERE NOT EXISTS"
      "  (SELECT FROM metrics_refresh_internal.job j WHERE j.job_id = s.job_id) FOR UPDATE SKIP "
      "LOCKED))");
  spi.query(
      "DELETE FROM metrics_refresh_internal.view_state WHERE view_oid = ANY (ARRAY("
      " SELECT view_oid FROM metrics_refresh_internal.view_state s WHERE NOT EXISTS"
      "  (SELECT FROM pg_catalog.pg_class c WHERE c.oid = s.view_oid) FOR UPDATE SKIP LOCKED))");
  spi.query(
      "DELETE FROM metrics_refresh_internal.skip_alarm WHERE ctid = ANY (ARRAY("
      " SELECT ctid FROM metrics_refresh_internal.skip_alarm s WHERE NOT EXISTS"
      "  (SELECT FROM pg_catalog.pg_class c WHERE c.oid = s.view_oid) FOR UPDATE SKIP LOCKED))");
  std::int64_t removed = 0;
  // Each batch begins at the time at which the last one ended. Deleted rows stay in the index until
  // the commit, and a scan from the beginning would visit them again.
  Param from = Param::null(TIMESTAMPTZOID);
  for (;;) {
    const pg::Rows rows = spi.query(
        "WITH gone AS (DELETE FROM metrics_refresh_internal.run_log WHERE run_id = ANY (ARRAY("
        " SELECT run_id FROM metrics_refresh_internal.run_log"
        " WHERE started_at >= coalesce($3, '-infinity') AND started_at < $1"
        " AND status <> 'running' ORDER BY started_at LIMIT $2 FOR UPDATE SKIP LOCKED))"
        " RETURNING started_at)"
        " SELECT count(*) AS batch, max(started_at) AS last_started_at FROM gone",
        {limit, kCleanupBatch, from});
    const std::int64_t batch = rows.get_int64(0, "batch");
    removed += batch;
    if (batch < kCleanupBatch) return removed;
    from = rows.get_instant(0, "last_started_at");
    pg::call([] { CHECK_FOR_INTERRUPTS(); });
  }
}

// Reads the views, not the tables: the caller's role decides which runs are visible.
std::optional<RunStatus> run_status(pg::Spi& spi, std::int64_t run_id) {
  const pg::Rows rows = spi.query(
      "SELECT coalesce((SELECT status FROM metrics_refresh.run_log WHERE run_id = $1),"
      " (SELECT 'queued' FROM metrics_refresh.run_request WHERE run_id = $1)) AS status",
      {run_id});
  if (rows.is_null(0, "status")) return std::nullopt;
  return from_column<RunStatus>(rows.get_text(0, "status"));
}

RunError run_error(int sqlstate, std::string message, std::string hint, std::string detail) {
  return {std::move(message), sqlstate_text(sqlstate), std::move(detail), std::move(hint), ""};
}

RunError run_reason(std::string message, std::string hint) {
  return {std::move(message), "", "", std::move(hint), ""};
}

RunError describe_error(const pg::PgError& error) {
  const ErrorData& data = error.data();
  return {error.what(),       sqlstate_text(data.sqlerrcode), text(data.detail), text(data.hint),
          text(data.context), text(data.internalquery)};
}

RunError describe_current_error() {
  try {
    // Rethrows the exception that the caller handles, to get at its type. The other way would be
    // one catch block for each type in each caller.
    throw;
  } catch (const pg::PgError& error) {
    return describe_error(error);
  } catch (const pg::SqlError& error) {
    return run_error(error.sqlstate(), error.what(), error.hint(), error.detail());
  } catch (const std::exception& error) {
    return run_error(ERRCODE_INTERNAL_ERROR, error.what());
  }
}

// Usage is the difference of two readings of the counters that the server keeps for this process.
Usage UsageMeter::total() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return {static_cast<std::int64_t>(pgWalUsage.wal_bytes), pgBufferUsage.shared_blks_hit,
          pgBufferUsage.shared_blks_read,
          milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime)};
}

Usage UsageMeter::so_far() const {
  const Usage now = total();
  return {now.wal_bytes - start_.wal_bytes, now.buffers_hit - start_.buffers_hit,
          now.buffers_read - start_.buffers_read, now.cpu_ms - start_.cpu_ms};
}

}  // namespace metrics_refresh::store
