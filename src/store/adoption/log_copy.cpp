#include "store/adoption/log_copy.hpp"

#include "pg/quote.hpp"
#include "store/adoption/log_columns.hpp"
#include "store/adoption/value_kind.hpp"

namespace metrics_refresh::store {
namespace {

using pg::identifier;
using pg::literal;
using pg::Param;

std::string value_of(const OldLog::Column* column, const char* type) {
  return column == nullptr ? "NULL::" + std::string(type)
                           : "o." + identifier(column->name) + "::" + type;
}

// The first of all columns of that meaning that is not NULL.
std::string first_value(const OldLog& log, LogColumn meaning, const char* type) {
  std::string list;
  for (const OldLog::Column& column : log.columns)
    if (meaning_of(column) == meaning) list += value_of(&column, type) + ", ";
  return list;
}

std::string old_milliseconds(const OldLog& log) {
  if (const OldLog::Column* column = find_column(log, LogColumn::kDuration))
    return column->type == INTERVALOID
               ? "1000 * extract(epoch FROM o." + identifier(column->name) + ")::float8"
               : value_of(column, "float8");
  if (const OldLog::Column* column = find_column(log, LogColumn::kSeconds))
    return "1000 * " + value_of(column, "float8");
  return "NULL::float8";
}

std::string old_status(const OldLog& log) {
  const OldLog::Column* status = find_column(log, LogColumn::kStatus);
  const OldLog::Column* success = find_column(log, LogColumn::kSuccess);
  std::string text = "CASE";
  if (status != nullptr) {
    const std::string word = "lower(format('%s', o." + identifier(status->name) + "))";
    for (const char* own : {"success", "error", "skipped", "canceled", "interrupted"})
      text += " WHEN " + word + " IN (" + words_of(own) + ") THEN '" + own + "'";
    // Nobody is at it any more.
    text += " WHEN " + word + " IN (" + words_of("running") + ") THEN 'interrupted'";
  }
  if (success != nullptr)
    text += " WHEN o." + identifier(success->name) + " THEN 'success' WHEN NOT o." +
            identifier(success->name) + " THEN 'error'";
  return text + " WHEN " + value_of(find_column(log, LogColumn::kError), "text") +
         " IS NOT NULL THEN 'error' ELSE 'success' END";
}

// All columns as texts, which each type reads again.
std::string old_row(const OldLog& log) {
  std::string names;
  std::string values;
  for (const OldLog::Column& column : log.columns) {
    const std::string name = "o." + identifier(column.name);
    names += (names.empty() ? "" : ", ") + literal(column.name);
    values += (values.empty() ? "" : ", ") + std::string("CASE WHEN ") + name +
              " IS DISTINCT FROM NULL THEN format('%s', " + name + ") END";
  }
  return "jsonb_object(ARRAY[" + names + "]::text[], ARRAY[" + values + "]::text[])";
}

}  // namespace

std::int64_t copy_rows(pg::Spi& spi, const OldLog& log, const std::string& view) {
  const std::string table = pg::qualified(log.schema, log.name);
  const OldLog::Column* id = find_column(log, LogColumn::kId);
  // So that the ids of later runs are new. No sequence gives numbers beyond these.
  if (id != nullptr && kind_of(id->type) == ValueKind::kNumber)
    spi.query(
        "SELECT setval('metrics_refresh_internal.run_id_seq', m.id) FROM"
        " (SELECT max(o." +
        identifier(id->name) + ")::bigint AS id FROM " + table + " o WHERE o." +
        identifier(id->name) +
        " < 9007199254740992) m, metrics_refresh_internal.run_id_seq s"
        " WHERE m.id > s.last_value");
  const std::string ms = old_milliseconds(log);
  const pg::Rows rows = spi.query(
      "WITH copied AS (INSERT INTO metrics_refresh_internal.run_log (view_schema, view_name, "
      "owner, owner_oid,"
      " triggered_by, started_at, finished_at, duration_ms, status, strategy_reason, error_message,"
      " sqlstate, rows_total, adopted)"
      " SELECT $1::text::name, coalesce(r.view_name, $2)::text::name, pg_get_userbyid($3), $3,"
      "  CASE WHEN r.triggered_by IN ('manual', 'retry') THEN r.triggered_by ELSE 'schedule' END,"
      "  r.started_at, coalesce(r.finished_at, CASE WHEN r.ms BETWEEN 0 AND 1e11"
      "   THEN r.started_at + make_interval(secs => r.ms / 1000) END, r.started_at),"
      "  coalesce(r.ms, CASE WHEN isfinite(r.started_at) AND isfinite(r.finished_at)"
      "   THEN 1000 * extract(epoch FROM r.finished_at - r.started_at)::float8 END),"
      "  r.status, 'copied from ' || $4::text, r.error_message, r.sqlstate, r.rows_total, r.adopted"
      " FROM (SELECT " +
          value_of(find_column(log, LogColumn::kView), "text") + " AS view_name, " +
          value_of(find_column(log, LogColumn::kTrigger), "text") + " AS triggered_by, coalesce(" +
          first_value(log, LogColumn::kStarted, "timestamptz") +
          first_value(log, LogColumn::kFinished, "timestamptz") +
          "transaction_timestamp()) AS started_at, " +
          value_of(find_column(log, LogColumn::kFinished), "timestamptz") + " AS finished_at, " +
          ms + " AS ms, " + old_status(log) + " AS status, " +
          value_of(find_column(log, LogColumn::kError), "text") + " AS error_message, " +
          value_of(find_column(log, LogColumn::kSqlState), "text") + " AS sqlstate, " +
          value_of(find_column(log, LogColumn::kRows), "bigint") + " AS rows_total, " +
          old_row(log) + " AS adopted FROM " + table +
          " o) r ORDER BY r.started_at RETURNING 1) SELECT count(*) FROM copied",
      {log.schema, view, Param::oid(log.owner), log.schema + "." + log.name});
  return rows.get_int64(0, 1);
}

std::int64_t forget_copied_rows(pg::Spi& spi, const std::string& schema) {
  return spi
      .query(
          "WITH removed AS (DELETE FROM metrics_refresh_internal.run_log"
          " WHERE adopted IS NOT NULL AND view_schema = $1::text::name RETURNING 1)"
          " SELECT count(*) FROM removed",
          {schema})
      .get_int64(0, 1);
}

}  // namespace metrics_refresh::store
