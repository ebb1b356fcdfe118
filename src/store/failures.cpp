// Logs failures so that the trigger on_job_failure cannot prevent it.
//
// The row of job_failure is inserted in a subtransaction, with the trigger. If that fails, the same
// row is inserted below the executor, without triggers. Finally, if there is no row of
// edge_function_log for the failure, it is inserted. Example with a function that raises an error:
//
//   INSERT, trigger: error, rolled back -> append_row(job_failure) -> INSERT edge_function_log
//
// The trigger is executed with the rights of the extension, so only functions of superusers are: no
// text runs with more rights than its author's. Its time is limited too, because the scheduler logs
// the runs of dead workers.
#include "store/failures.hpp"

#include "extension/own_schema.hpp"
#include "pg/append_rows.hpp"
#include "pg/as_owner.hpp"
#include "pg/limited_subtransaction.hpp"
#include "pg/role.hpp"
#include "pg/time.hpp"
#include "store/function_log.hpp"
#include "store/shares.hpp"

namespace metrics_refresh::store {
namespace {

using pg::Param;

constexpr core::Duration kTriggerLimit = std::chrono::seconds(1);
// A function that has exceeded the limit is not called by this process for a minute. Otherwise many
// failures at once would delay the scheduler by a second each.
constexpr std::int64_t kPauseAfterOverrun = 60'000'000;

std::int64_t paused_until = 0;  // by pg::steady_now()

// The columns of job_failure, in their order.
constexpr std::size_t kColumns = 13;
std::vector<Param> row_of(pg::Spi& spi, const Failure& failure) {
  const RunError& error = failure.error;
  const auto text = [](const std::string& value) {
    return Param::text_or_null(cut_for_log(value));
  };
  const pg::Rows rows = spi.query(
      "SELECT nextval('metrics_refresh_internal.job_failure_id_seq') AS id,"
      " jsonb_strip_nulls(jsonb_build_object('kind', $1, 'view', $2, 'run_id', $3, 'detail', $4,"
      "  'hint', $5, 'context', $6)) AS context, clock_timestamp() AS created_at",
      {to_text(failure.kind), text(failure.view), Param::nullable(failure.run_id, INT8OID),
       text(error.detail), text(error.hint), text(error.context)});
  MemoryContext const memory = CurrentMemoryContext;
  return {rows.copied(0, "id", memory),
          to_text(failure.kind),
          failure.name,
          Param::nullable(failure.job_id, INT8OID),
          Param(INT4OID, Int32GetDatum(failure.attempt)),
          to_text(failure.status),
          text(error.message),
          Param::text_or_null(error.sqlstate),
          rows.copied(0, "context", memory),
          Param::nullable(failure.duration_ms, FLOAT8OID),
          Param::text_or_null(pg::role_name(failure.owner)),
          Param::oid(failure.owner),
          rows.copied(0, "created_at", memory)};
}

// At the exit of a process, interrupts are held, so that nothing could end the function.
bool may_fire(pg::Spi& spi) {
  if (FailureScope::is_open() || proc_exit_inprogress || pg::steady_now() < paused_until)
    return false;
  return spi
      .query(
          "SELECT NOT EXISTS (SELECT FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid"
          "  JOIN pg_roles r ON r.oid = p.proowner"
          "  WHERE t.tgrelid = 'metrics_refresh_internal.job_failure'::regclass"
          "  AND NOT r.rolsuper) AS may_fire")
      .get_bool(0, "may_fire");
}

// LOG_SERVER_ONLY: the session may be that of a client, who is not the author of the function.
void report(const pg::PgError& error) {
  const ErrorData* data = &error.data();
  pg::call([data] {
    ereport(LOG_SERVER_ONLY, errcode(data->sqlerrcode),
            errmsg("metrics_refresh: the trigger on_job_failure failed, and the failure is logged "
                   "without it: %s",
                   data->message != nullptr ? data->message : "missing error text"),
            data->detail != nullptr ? errdetail_internal("%s", data->detail) : 0,
            data->hint != nullptr ? errhint("%s", data->hint) : 0,
            data->context != nullptr ? errcontext("%s", data->context) : 0);
  });
}

// Returns true if the row was inserted.
bool insert_with_trigger(const std::vector<Param>& row, const LoggedFailure& logged) {
  const FailureScope scope(logged);
  bool inserted = false;
  bool overrun = false;
  const std::optional<pg::PgError> error =
      pg::in_limited_subtransaction(kTriggerLimit, &overrun, [&] {
        // Restricted: the function must not leave anything in the session of another role.
        pg::as_owner(BOOTSTRAP_SUPERUSERID, [&] {
          pg::Spi spi;
          inserted = !spi.query(
                             "INSERT INTO metrics_refresh_internal.job_failure"
                             " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
                             " RETURNING id",
                             row)
                          .empty();
        });
      });
  if (overrun) paused_until = pg::steady_now() + kPauseAfterOverrun;
  if (!error) return inserted;
  report(*error);
  return false;
}

void insert_without_trigger(const std::vector<Param>& row) {
  pg::call([&row] {
    const Oid schema = get_namespace_oid(extension::kInternalSchema, false);
    pg::Appender table;
    if (!pg::open_appender(&table, get_relname_relid("job_failure", schema))) return;
    Datum values[kColumns];
    bool nulls[kColumns];
    for (std::size_t i = 0; i < kColumns; ++i) {
      nulls[i] = row[i].is_null();
      values[i] = nulls[i] ? Datum{0} : row[i].datum();
    }
    (void)pg::append_row(table, values, nulls);
    pg::close_appender(table);
    // The following statements of the transaction see the row.
    CommandCounterIncrement();
  });
}

void ensure_log_row(pg::Spi& spi, std::int64_t id) {
  spi.query(
      "INSERT INTO metrics_refresh_internal.edge_function_log (function_name, level, message,"
      " sqlstate, context, job_id, attempt, status, duration_ms, failure_id, owner, owner_oid)"
      " SELECT name, 'error', message, sqlstate, context, job_id, attempt, status, duration_ms,"
      "  id, owner, owner_oid FROM metrics_refresh_internal.job_failure f"
      " WHERE id = $1 AND NOT EXISTS (SELECT FROM metrics_refresh_internal.edge_function_log"
      "  WHERE failure_id = $1)",
      {id});
}

}  // namespace

std::int64_t log_failure(pg::Spi& spi, const Failure& failure) {
  const std::vector<Param> row = row_of(spi, failure);
  const LoggedFailure logged{DatumGetInt64(row.front().datum()), failure.job_id, failure.attempt,
                             failure.error.sqlstate, failure.owner};
  if (!may_fire(spi) || !insert_with_trigger(row, logged)) insert_without_trigger(row);
  ensure_log_row(spi, logged.id);
  return logged.id;
}

void log_failure_of_run(pg::Spi& spi, std::int64_t run_id) {
  const pg::Rows rows = spi.query(
      "SELECT CASE WHEN command IS NOT NULL THEN 'command' WHEN view_name IS NOT NULL"
      "  THEN 'refresh' ELSE 'group' END AS kind,"
      " coalesce(job_name, view_schema || '.' || view_name, '') AS name, job_id,"
      " view_schema || '.' || view_name AS view, attempt::int8 AS attempt, status, error_message,"
      " sqlstate, error_detail, error_hint, error_context, coalesce(duration_ms, 0) AS duration_ms,"
      " coalesce(owner_oid, 0) AS owner_oid"
      " FROM metrics_refresh_internal.run_log"
      " WHERE run_id = $1 AND status IN ('error', 'interrupted')",
      {run_id});
  if (rows.empty()) return;
  Failure failure;
  failure.kind = from_column<FailureKind>(rows.get_text(0, "kind"));
  failure.name = rows.get_text(0, "name");
  failure.job_id = rows.get_int64_or_null(0, "job_id");
  failure.view = rows.get_text_or_empty(0, "view");
  failure.attempt = static_cast<int>(rows.get_int64(0, "attempt"));
  failure.status = from_column<RunStatus>(rows.get_text(0, "status"));
  failure.error.message = rows.get_text_or_empty(0, "error_message");
  failure.error.sqlstate = rows.get_text_or_empty(0, "sqlstate");
  failure.error.detail = rows.get_text_or_empty(0, "error_detail");
  failure.error.hint = rows.get_text_or_empty(0, "error_hint");
  failure.error.context = rows.get_text_or_empty(0, "error_context");
  failure.duration_ms = rows.get_float8(0, "duration_ms");
  failure.owner = rows.get_oid(0, "owner_oid");
  failure.run_id = run_id;
  (void)log_failure(spi, failure);
}

}  // namespace metrics_refresh::store
