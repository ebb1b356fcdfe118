#include "store/runs.hpp"

namespace metrics_refresh::store {
namespace {

using pg::Param;

Param text_or_null(const std::string& text) {
  return text.empty() ? Param::null(TEXTOID) : Param(text);
}

constexpr std::int64_t kCleanupBatch = 5000;

std::int64_t insert_head(pg::Spi& spi, const RunHead& head, const char* status) {
  return spi
      .query(
          "INSERT INTO metrics_refresh.run_log (run_id, job_id, job_name, view_schema, view_name,"
          " command, owner, owner_oid, triggered_by, initiated_by, due_at, started_at,"
          " finished_at, status, worker_pid)"
          " VALUES (coalesce($1, nextval('metrics_refresh.run_id_seq')), $2, $3, $4, $5, $6, $7,"
          " $8, $9, $10, $11, $12, CASE WHEN $13 <> 'running' THEN clock_timestamp() END, $13,"
          " $14::int4) RETURNING run_id",
          {Param::nullable(head.run_id, INT8OID), Param::nullable(head.job_id, INT8OID),
           Param::nullable(head.job_name, TEXTOID), text_or_null(head.view_schema),
           text_or_null(head.view_name), text_or_null(head.command), text_or_null(head.owner),
           Param::oid(head.owner_oid), head.manual ? "manual" : "schedule",
           text_or_null(head.initiated_by), Param::nullable(head.due, TIMESTAMPTZOID), head.started,
           status, head.worker_pid})
      .get_int64(0, 1);
}

// Completes a row of run_log. False where there is none that is still `expected`.
bool complete_row(pg::Spi& spi, std::int64_t run_id, const Outcome& outcome, const char* expected) {
  const RunError error = outcome.error.value_or(RunError{});
  return !spi.query(
                 "UPDATE metrics_refresh.run_log SET finished_at = t.now,"
                 " duration_ms = extract(epoch FROM t.now - started_at) * 1000, status = $2,"
                 " strategy = $3, strategy_reason = $4, error_message = $5, sqlstate = $6,"
                 " error_detail = $7, error_hint = $8, error_context = $9, rows_total = $10,"
                 " missed = $11, wal_bytes = $12, buffers_hit = $13, buffers_read = $14,"
                 " cpu_ms = $15 FROM (SELECT clock_timestamp() AS now) t"
                 " WHERE run_id = $1 AND status = $16 RETURNING run_id",
                 {run_id, outcome.status, text_or_null(outcome.strategy),
                  text_or_null(outcome.strategy_reason), text_or_null(error.message),
                  text_or_null(error.sqlstate), text_or_null(error.detail),
                  text_or_null(error.hint), text_or_null(error.context),
                  Param::nullable(outcome.rows_total, INT8OID), outcome.missed,
                  outcome.usage.wal_bytes, outcome.usage.buffers_hit, outcome.usage.buffers_read,
                  outcome.usage.cpu_ms, expected})
              .empty();
}

// The job's state after its run. True where the job is suspended by it.
bool update_state(pg::Spi& spi, std::int64_t run_id, const Outcome& outcome, int suspend_after) {
  const bool success = outcome.status == "success";
  const bool failure = outcome.status == "error";
  // Failures count from the latest success, or from when somebody rescheduled or resumed the job.
  // Nobody but the job's runs writes job_state, so nobody's lock stands in the way here.
  const pg::Rows rows = spi.query(
      "UPDATE metrics_refresh.job_state s SET last_finished_at = l.finished_at,"
      " last_status = l.status,"
      " last_success_at = CASE WHEN $2 THEN l.finished_at ELSE s.last_success_at END,"
      " last_error = CASE WHEN $2 THEN NULL ELSE coalesce(l.error_message, s.last_error) END,"
      " consecutive_failures = CASE WHEN $2 THEN 0 WHEN s.last_finished_at < f.since THEN $3::int"
      "  ELSE s.consecutive_failures + $3::int END,"
      " permanent_failures = CASE WHEN $2 THEN 0 WHEN s.last_finished_at < f.since THEN $4::int"
      "  ELSE s.permanent_failures + $4::int END"
      " FROM metrics_refresh.run_log l CROSS JOIN LATERAL (SELECT coalesce((SELECT effective_from"
      "  FROM metrics_refresh.job j WHERE j.job_id = l.job_id), '-infinity')) f (since)"
      " WHERE l.run_id = $1 AND s.job_id = l.job_id"
      " RETURNING s.job_id, s.permanent_failures::int8,"
      " coalesce(s.suspended_at > f.since, false)",
      {run_id, success, failure ? 1 : 0, failure && outcome.permanent ? 1 : 0});
  if (rows.empty() || !failure || !outcome.permanent || suspend_after == 0) return false;
  const std::int64_t failures = rows.get_int64(0, 2);
  if (rows.get_bool(0, 3) || failures < suspend_after) return false;
  spi.query(
      "UPDATE metrics_refresh.job_state SET suspended_at = clock_timestamp(), suspend_reason = $2"
      " WHERE job_id = $1",
      {rows.get_int64(0, 1), std::to_string(failures) + " permanent failures in a row, the last: " +
                                 outcome.error.value_or(RunError{}).message});
  return true;
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
  const std::int64_t run_id = insert_head(spi, head, "running");
  spi.query("INSERT INTO metrics_refresh.active_run VALUES ($1, $2)",
            {run_id, Param::nullable(head.job_id, INT8OID)});
  spi.query(
      "INSERT INTO metrics_refresh.job_state (job_id, handled_until, last_run_id,"
      " last_started_at, last_status) SELECT job_id, $3, $2, $4, 'running'"
      " FROM metrics_refresh.job WHERE job_id = $1"
      " ON CONFLICT (job_id) DO UPDATE SET last_run_id = EXCLUDED.last_run_id,"
      " handled_until = coalesce(EXCLUDED.handled_until, job_state.handled_until),"
      " last_started_at = EXCLUDED.last_started_at, last_status = 'running'",
      {Param::nullable(head.job_id, INT8OID), run_id,
       head.manual ? Param::null(TIMESTAMPTZOID) : Param::nullable(head.due, TIMESTAMPTZOID),
       head.started});
  return run_id;
}

bool end_run(pg::Spi& spi, std::int64_t run_id, const Outcome& outcome, int suspend_after) {
  if (!complete_row(spi, run_id, outcome, "running"))
    throw pg::SqlError(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                       "run " + std::to_string(run_id) + " is no longer running in the log");
  spi.query("DELETE FROM metrics_refresh.active_run WHERE run_id = $1", {run_id});
  return update_state(spi, run_id, outcome, suspend_after);
}

bool is_logged(pg::Spi& spi, const RunHead& head) {
  return !spi.query(
                 "SELECT FROM metrics_refresh.run_log WHERE run_id = $1 OR (job_id = $2"
                 " AND due_at = $3 AND started_at >= $3 AND triggered_by = 'schedule') LIMIT 1",
                 {Param::nullable(head.run_id, INT8OID), Param::nullable(head.job_id, INT8OID),
                  Param::nullable(head.due, TIMESTAMPTZOID)})
              .empty();
}

std::int64_t log_ended_run(pg::Spi& spi, const RunHead& head, const Outcome& outcome) {
  const std::int64_t run_id = insert_head(spi, head, outcome.status.c_str());
  complete_row(spi, run_id, outcome, outcome.status.c_str());
  return run_id;
}

std::int64_t note_skipped(pg::Spi& spi, const RunHead& head, const std::string& reason) {
  const bool repeated =
      !spi.query(
              "UPDATE metrics_refresh.job_state SET handled_until = coalesce($2, handled_until),"
              " last_finished_at = clock_timestamp()"
              " WHERE job_id = $1 AND last_status = 'skipped' AND last_error = $3"
              " AND last_finished_at >= (SELECT j.effective_from FROM metrics_refresh.job j"
              "  WHERE j.job_id = $1)"
              " RETURNING job_id",
              {Param::nullable(head.job_id, INT8OID),
               head.manual ? Param::null(TIMESTAMPTZOID)
                           : Param::nullable(head.due, TIMESTAMPTZOID),
               reason})
           .empty();
  // A run that somebody asked for and waits for is always logged.
  if (repeated && !head.run_id) return 0;
  const std::int64_t run_id = begin_run(spi, head);
  Outcome outcome;
  outcome.status = "skipped";
  outcome.error = RunError{reason, "", "", "", ""};
  end_run(spi, run_id, outcome, 0);
  return run_id;
}

std::int64_t close_orphans(pg::Spi& spi, const std::vector<std::int64_t>& live_runs,
                           const std::vector<std::int64_t>& beginning_jobs) {
  const pg::Rows rows = spi.query(
      "DELETE FROM metrics_refresh.active_run WHERE run_id <> ALL ($1)"
      " AND job_id <> ALL ($2) RETURNING run_id",
      {Param::array(live_runs), Param::array(beginning_jobs)});
  std::vector<std::int64_t> runs;
  for (std::size_t i = 0; i < rows.size(); ++i) runs.push_back(rows.get_int64(i, 1));
  for (const std::int64_t run_id : runs) {
    Outcome outcome;
    outcome.status = "interrupted";
    outcome.error = RunError{"the worker ended before the run did", "", "",
                             "See the server log for what ended it.", ""};
    if (complete_row(spi, run_id, outcome, "running")) update_state(spi, run_id, outcome, 0);
  }
  return static_cast<std::int64_t>(runs.size());
}

std::int64_t remove_old_runs(pg::Spi& spi, core::Instant limit) {
  spi.query(
      "DELETE FROM metrics_refresh.job_state s WHERE NOT EXISTS"
      " (SELECT FROM metrics_refresh.job j WHERE j.job_id = s.job_id)");
  std::int64_t removed = 0;
  // Each batch begins where the last one ended: what this transaction has deleted stays in the
  // index until it commits, and would be walked over again.
  Param from = Param::null(TIMESTAMPTZOID);
  for (;;) {
    const pg::Rows rows = spi.query(
        "WITH gone AS (DELETE FROM metrics_refresh.run_log WHERE run_id = ANY (ARRAY("
        " SELECT run_id FROM metrics_refresh.run_log"
        " WHERE started_at >= coalesce($3, '-infinity') AND started_at < $1"
        " AND status <> 'running' ORDER BY started_at LIMIT $2 FOR UPDATE SKIP LOCKED))"
        " RETURNING started_at) SELECT count(*), max(started_at) FROM gone",
        {limit, kCleanupBatch, from});
    const std::int64_t batch = rows.get_int64(0, 1);
    removed += batch;
    if (batch < kCleanupBatch) return removed;
    from = rows.get_instant(0, 2);
    pg::call([] { CHECK_FOR_INTERRUPTS(); });
  }
}

std::optional<std::string> run_status(pg::Spi& spi, std::int64_t run_id) {
  const pg::Rows rows = spi.query(
      "SELECT coalesce((SELECT status FROM metrics_refresh.run_log WHERE run_id = $1),"
      " (SELECT 'queued' FROM metrics_refresh.run_request WHERE run_id = $1))",
      {run_id});
  return rows.get_text_or_null(0, 1);
}

}  // namespace metrics_refresh::store
