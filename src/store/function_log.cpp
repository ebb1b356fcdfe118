// Writes edge_function_log and webhook_log, and removes old rows from all logs but run_log.
#include "store/function_log.hpp"

#include "pg/role.hpp"
#include "store/shares.hpp"

namespace metrics_refresh::store {
namespace {

using pg::Param;

// Rows deleted by one statement. Between batches the cleanup can be canceled.
constexpr std::int64_t kCleanupBatch = 5000;

const LoggedFailure* open_failure = nullptr;

Param cut_text_or_null(const std::string& text) { return Param::text_or_null(cut_for_log(text)); }

// SKIP LOCKED, and each batch begins at the time at which the last one ended: as in
// remove_old_runs().
void remove_old_rows(pg::Spi& spi, const std::string& table, core::Instant limit) {
  const std::string name = "metrics_refresh_internal." + table;
  const std::string statement =
      "WITH gone AS (DELETE FROM " + name + " WHERE id = ANY (ARRAY(SELECT id FROM " + name +
      " WHERE created_at >= coalesce($3, '-infinity') AND created_at < $1"
      " ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED)) RETURNING created_at)"
      " SELECT count(*) AS batch, max(created_at) AS last_created_at FROM gone";
  Param from = Param::null(TIMESTAMPTZOID);
  for (;;) {
    const pg::Rows rows = spi.query(statement, {limit, kCleanupBatch, from});
    if (rows.get_int64(0, "batch") < kCleanupBatch) return;
    from = rows.get_instant(0, "last_created_at");
    pg::call([] { CHECK_FOR_INTERRUPTS(); });
  }
}

}  // namespace

FailureScope::FailureScope(const LoggedFailure& failure) { open_failure = &failure; }
FailureScope::~FailureScope() { open_failure = nullptr; }
bool FailureScope::is_open() noexcept { return open_failure != nullptr; }

LoggedCall log_function_call(pg::Spi& spi, const FunctionCall& call) {
  const LoggedFailure* const failure = open_failure;
  const Oid owner = failure != nullptr ? failure->owner : call.owner;
  std::optional<std::int64_t> job_id = call.job_id;
  std::optional<std::int64_t> attempt = call.attempt;
  std::optional<std::int64_t> failure_id;
  std::string sqlstate = call.sqlstate;
  if (failure != nullptr) {
    failure_id = failure->id;
    if (!job_id) job_id = failure->job_id;
    if (!attempt) attempt = failure->attempt;
    if (sqlstate.empty()) sqlstate = failure->sqlstate;
  }
  const pg::Rows rows = spi.query(
      "INSERT INTO metrics_refresh_internal.edge_function_log (function_name, level, message,"
      " sqlstate, context, job_id, attempt, status, duration_ms, request_id, failure_id, owner,"
      " owner_oid) VALUES ($1, $2, $3, $4, $5, $6, $7::int4, $8, $9, $10, $11, $12, $13)"
      " RETURNING id, created_at",
      {call.function_name, to_text(call.level), cut_text_or_null(call.message),
       Param::text_or_null(sqlstate), call.context, Param::nullable(job_id, INT8OID),
       Param::nullable(attempt, INT8OID), Param::text_or_null(call.status),
       Param::nullable(call.duration_ms, FLOAT8OID), Param::text_or_null(call.request_id),
       Param::nullable(failure_id, INT8OID), Param::text_or_null(pg::role_name(owner)),
       Param::oid(owner)});
  return {rows.get_int64(0, "id"), rows.get_instant(0, "created_at")};
}

std::int64_t record_webhook(pg::Spi& spi, const Webhook& webhook) {
  return spi
      .query(
          "INSERT INTO metrics_refresh_internal.webhook_log (source, event, payload, status,"
          " duration_ms, error, owner, owner_oid) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
          " RETURNING id",
          {webhook.source, webhook.event, webhook.payload, webhook.status,
           Param::nullable(webhook.duration_ms, FLOAT8OID), cut_text_or_null(webhook.error),
           Param::text_or_null(pg::role_name(webhook.owner)), Param::oid(webhook.owner)})
      .get_int64(0, "id");
}

void remove_old_logs(pg::Spi& spi, core::Instant limit) {
  for (const char* const table : {"job_failure", "edge_function_log", "webhook_log"})
    remove_old_rows(spi, table, limit);
}

}  // namespace metrics_refresh::store
