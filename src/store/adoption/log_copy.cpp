// Copies the rows of a hand-written log.
//
// The copy has two halves. row_query() runs as the owner of the table and turns each row into a
// jsonb object of texts. copy_rows() runs with the rights of the extension and computes the columns
// of the log from these texts. Only casts between built-in types happen there. The jsonb object is
// stored in the column adopted, so that the view can show all old columns.
#include "store/adoption/log_copy.hpp"

#include "pg/owner_rows.hpp"
#include "pg/quote.hpp"
#include "store/adoption/log_columns.hpp"
#include "store/adoption/value_kind.hpp"

namespace metrics_refresh::store {
namespace {

using pg::identifier;
using pg::literal;
using pg::Param;

// A value of the old row, which consists of texts, cast to its former type and then to `type`.
// REQUIRES: the former type is built in.
std::string value_of(const OldLog::Column* column, const char* type) {
  return column == nullptr
             ? "NULL::" + std::string(type)
             : "(o.adopted ->> " + literal(column->name) + ")::" + column->type_name + "::" + type;
}

// The columns with this meaning as arguments of coalesce(), each followed by a comma.
std::string first_value(const OldLog& log, LogColumn meaning, const char* type) {
  std::string list;
  for (const OldLog::Column& column : log.columns)
    if (meaning_of(column) == meaning) list += value_of(&column, type) + ", ";
  return list;
}

std::string old_milliseconds(const OldLog& log) {
  if (const OldLog::Column* column = find_column(log, LogColumn::kDuration))
    return column->type == INTERVALOID
               ? "1000 * extract(epoch FROM " + value_of(column, "interval") + ")::float8"
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
    const std::string word =
        "lower(" +
        (kind_of(status->type) == ValueKind::kOther ? "o.adopted ->> " + literal(status->name)
                                                    : value_of(status, "text")) +
        ")";
    for (const char* own : {"success", "error", "skipped", "canceled", "interrupted"})
      text += " WHEN " + word + " IN (" + words_of(own) + ") THEN '" + own + "'";
    // The process that ran it no longer exists.
    text += " WHEN " + word + " IN (" + words_of("running") + ") THEN 'interrupted'";
  }
  if (success != nullptr)
    text += " WHEN " + value_of(success, "bool") + " THEN 'success' WHEN NOT " +
            value_of(success, "bool") + " THEN 'error'";
  return text + " WHEN " + value_of(find_column(log, LogColumn::kError), "text") +
         " IS NOT NULL THEN 'error' ELSE 'success' END";
}

// The row as an object of texts. Each type can read its text again.
std::string old_row(const OldLog& log) {
  std::string names;
  std::string values;
  for (const OldLog::Column& column : log.columns) {
    const std::string name = "o." + identifier(column.name);
    core::append_item(names, literal(column.name));
    core::append_item(values, std::string("CASE WHEN ") + name +
                                  " IS DISTINCT FROM NULL THEN format('%s', " + name + ") END");
  }
  return "jsonb_object(ARRAY[" + names + "]::text[], ARRAY[" + values + "]::text[])";
}

// Runs get their numbers in this order.
std::string in_order_of_begin(const OldLog& log) {
  std::string list;
  for (const LogColumn meaning : {LogColumn::kStarted, LogColumn::kFinished})
    for (const OldLog::Column& column : log.columns)
      if (meaning_of(column) == meaning) list += "o." + identifier(column.name) + "::timestamptz, ";
  return "coalesce(" + list + "transaction_timestamp())";
}

const OldLog::Column* number_column(const OldLog& log) {
  const OldLog::Column* id = find_column(log, LogColumn::kId);
  return id != nullptr && kind_of(id->type) == ValueKind::kNumber ? id : nullptr;
}

std::string table_of(const OldLog& log) { return pg::qualified(log.schema, log.name) + " o"; }

std::string status_word(const OldLog::Column& status) {
  // format() and not a cast: the cast of an enum could be defined by a user.
  return "format('%s', o." + identifier(status.name) + ")";
}

}  // namespace

// Powers of two well below the range of each type, so that new runs have room.
std::int64_t highest_id(Oid type) {
  switch (type) {
    case INT2OID:
      return std::int64_t{1} << 14;
    case INT4OID:
      return std::int64_t{1} << 30;
    default:
      return std::int64_t{1} << 52;
  }
}

OldRows count_rows(const OldLog& log) {
  const OldLog::Column* status = find_column(log, LogColumn::kStatus);
  const OldLog::Column* id = number_column(log);
  const std::string word =
      status == nullptr ? "''::text" : "left(" + status_word(*status) + ", 63)";
  const std::string number = id == nullptr ? "NULL::int8" : "o." + identifier(id->name);
  const std::string highest = std::to_string(highest_id(id == nullptr ? INT8OID : id->type));
  OldRows counted;
  pg::read_as_owner(log.owner, log.oid,
                    "SELECT count(*) AS all_rows, coalesce(array_agg(DISTINCT " + word +
                        " ORDER BY " + word + ") FILTER (WHERE " + word +
                        " <> ''), '{}') AS words, coalesce(max(" + number + ") FILTER (WHERE " +
                        number + " BETWEEN 1 AND " + highest +
                        "), 0)::bigint AS last_id, count(*) FILTER (WHERE " + number + " > " +
                        highest + ") AS high_ids FROM " + table_of(log),
                    [&](const pg::Rows& rows) {
                      counted = {rows.get_int64(0, "all_rows"), rows.get_text_array(0, "words"),
                                 rows.get_int64(0, "last_id"), rows.get_int64(0, "high_ids")};
                    });
  return counted;
}

void begin_above(pg::Spi& spi, std::int64_t id) {
  spi.query(
      "SELECT setval('metrics_refresh_internal.run_id_seq', $1) FROM"
      " metrics_refresh_internal.run_id_seq s WHERE $1 > s.last_value",
      {id});
}

std::string row_query(const OldLog& log) {
  return "SELECT " + old_row(log) + " AS old_row FROM " + table_of(log) + " ORDER BY " +
         in_order_of_begin(log);
}

void copy_rows(pg::Spi& spi, const OldLog& log, const std::string& view, const pg::Param& rows) {
  spi.query(
      "INSERT INTO metrics_refresh_internal.run_log (view_schema, view_name, owner, owner_oid,"
      " triggered_by, started_at, finished_at, duration_ms, status, strategy_reason, error_message,"
      " sqlstate, rows_total, adopted)"
      " SELECT $1::text::name, coalesce(r.view_name, $2)::text::name, pg_get_userbyid($3), $3,"
      "  CASE WHEN r.triggered_by IN ('manual', 'retry') THEN r.triggered_by ELSE 'schedule' END,"
      "  r.started_at, coalesce(r.finished_at, CASE WHEN r.ms BETWEEN 0 AND 1e11"
      // The bound on ms prevents an overflow of make_interval().
      "   THEN r.started_at + make_interval(secs => r.ms / 1000) END, r.started_at),"
      "  coalesce(r.ms, CASE WHEN isfinite(r.started_at) AND isfinite(r.finished_at)"
      "   THEN 1000 * extract(epoch FROM r.finished_at - r.started_at)::float8 END),"
      "  r.status, 'copied from ' || $4::text, r.error_message, r.sqlstate, r.rows_total, r.adopted"
      " FROM (SELECT o.n, o.adopted, " +
          value_of(find_column(log, LogColumn::kView), "text") + " AS view_name, " +
          value_of(find_column(log, LogColumn::kTrigger), "text") + " AS triggered_by, coalesce(" +
          first_value(log, LogColumn::kStarted, "timestamptz") +
          first_value(log, LogColumn::kFinished, "timestamptz") +
          "transaction_timestamp()) AS started_at, " +
          value_of(find_column(log, LogColumn::kFinished), "timestamptz") + " AS finished_at, " +
          old_milliseconds(log) + " AS ms, " + old_status(log) + " AS status, " +
          value_of(find_column(log, LogColumn::kError), "text") + " AS error_message, " +
          value_of(find_column(log, LogColumn::kSqlState), "text") + " AS sqlstate, " +
          value_of(find_column(log, LogColumn::kRows), "bigint") + " AS rows_total" +
          " FROM unnest($5) WITH ORDINALITY o (adopted, n)) r ORDER BY r.n",
      {log.schema, view, Param::oid(log.owner), log.schema + "." + log.name, rows});
}

std::int64_t forget_copied_rows(pg::Spi& spi, const std::string& schema) {
  return spi
      .query(
          "WITH removed AS (DELETE FROM metrics_refresh_internal.run_log"
          " WHERE adopted IS NOT NULL AND view_schema = $1::text::name RETURNING 1)"
          " SELECT count(*) AS removed FROM removed",
          {schema})
      .get_int64(0, "removed");
}

}  // namespace metrics_refresh::store
