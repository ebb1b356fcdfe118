// Builds the view that replaces a hand-written log.
//
// Each column of the table becomes a column of the view with the same name, type and collation. For
// copied rows the value comes from the jsonb object in run_log.adopted. For new runs it comes from
// the column of run_log with the same meaning. Further columns of run_log follow. If the table had
// row-level security, its policies become a condition of the view. Example for a column `state
// text`:
//   CASE WHEN l.adopted IS NULL THEN (l.status)::text
//   ELSE (l.adopted ->> 'state')::text END AS state
#include "store/adoption/log_view.hpp"

#include <algorithm>

#include "pg/quote.hpp"
#include "store/adoption/log_columns.hpp"
#include "store/adoption/value_kind.hpp"

namespace metrics_refresh::store {
namespace {

using pg::identifier;
using pg::literal;

// Translates a status into the word of the old log, if that is another one.
std::string new_status(const OldLog::Column& column, const std::vector<std::string>& words) {
  const bool is_enum = kind_of(column.type) == ValueKind::kOther;
  std::string text;
  for (const std::string own : kStatuses) {
    std::string word = word_for(own, words);
    // Readers that know only two words see every run that did not succeed as an error.
    if (word.empty() && !column.words.empty() && own != "success" && own != "running")
      word = word_for("error", words);
    if (!word.empty() && word != own)
      text += " WHEN '" + own + "' THEN " + literal(word);
    else if (word.empty() && is_enum)
      text += " WHEN '" + own + "' THEN NULL";
  }
  if (text.empty()) return "l.status";
  return "CASE l.status" + text + " ELSE l.status END";
}

std::string new_id(Oid type) {
  if (type == UUIDOID) return "lpad(to_hex(l.run_id), 32, '0')";
  // A number beyond the range of the type would make every query fail.
  if (type == INT2OID) return "CASE WHEN l.run_id < 32768 THEN l.run_id END";
  if (type == INT4OID) return "CASE WHEN l.run_id < 2147483648 THEN l.run_id END";
  return "l.run_id";
}

// The value for new runs. Empty if there is none, and then the column is NULL.
std::string new_value(const OldLog::Column& column, const std::vector<std::string>& words) {
  switch (meaning_of(column)) {
    case LogColumn::kId:
      return new_id(column.type);
    case LogColumn::kStatus:
      return new_status(column, words);
    case LogColumn::kSuccess:
      return "l.status = 'success'";
    case LogColumn::kStarted:
      return "l.started_at";
    case LogColumn::kFinished:
      return "l.finished_at";
    case LogColumn::kDuration:
      return column.type == INTERVALOID ? "make_interval(secs => l.duration_ms / 1000)"
                                        : "l.duration_ms";
    case LogColumn::kSeconds:
      return "l.duration_ms / 1000";
    case LogColumn::kError:
      return "l.error_message";
    case LogColumn::kSqlState:
      return "l.sqlstate";
    case LogColumn::kView:
      return "l.view_name";
    case LogColumn::kTrigger:
      return "l.triggered_by";
    case LogColumn::kRows:
      return "l.rows_total";
    case LogColumn::kOther:
      return "";
  }
  return "";
}

std::string view_column(const OldLog& log, const OldLog::Column& column,
                        const std::vector<std::string>& words) {
  const std::string type = "::" + column.type_name;
  const std::string old = "(l.adopted ->> " + literal(column.name) + ")" + type;
  const std::string fresh = new_value(column, words);
  std::string text = fresh.empty() ? old
                                   : "CASE WHEN l.adopted IS NULL THEN (" + fresh + ")" + type +
                                         " ELSE " + old + " END";
  // This value is the same for copied rows and new runs. Used directly, it allows an index scan.
  if (column.type == TIMESTAMPTZOID && column.not_null &&
      &column == find_column(log, LogColumn::kStarted))
    text = "l.started_at";
  if (!column.collation.empty()) text = "(" + text + ") COLLATE " + column.collation;
  return text + " AS " + identifier(column.name);
}

bool has_column(const OldLog& log, const std::string& name) {
  return std::any_of(log.columns.begin(), log.columns.end(),
                     [&](const OldLog::Column& column) { return column.name == name; });
}

std::string role_condition(const OldLog::Policy& policy) {
  if (policy.roles.empty()) return "true";
  return "EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname IN (" + policy.roles +
         ") AND pg_catalog.pg_has_role(r.oid, 'USAGE'))";
}

// The view shows a row to a role that could see it in the table. The extension's own row-level
// security applies in addition.
std::string policy_condition(const OldLog& log) {
  std::string permissive;
  std::string restrictive;
  for (const OldLog::Policy& policy : log.policies) {
    const std::string condition = policy.condition.empty() ? "true" : policy.condition;
    if (policy.permissive)
      core::append_item(permissive, role_condition(policy) + " AND (" + condition + ")",
                        "\n      OR ");
    else
      restrictive += "\n     AND (NOT " + role_condition(policy) + " OR (" + condition + "))";
  }
  std::string text =
      "(SELECT r.rolsuper OR r.rolbypassrls FROM pg_catalog.pg_roles r WHERE r.rolname = "
      "CURRENT_USER)";
  if (!log.is_forced)
    text += "\n    OR EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = " +
            literal(log.owner_name) + " AND pg_catalog.pg_has_role(r.oid, 'USAGE'))";
  if (permissive.empty()) return text;
  return text + "\n    OR (" + permissive + ")" + restrictive;
}

}  // namespace

std::string unfilled_columns(const OldLog& log) {
  std::string list;
  for (const OldLog::Column& column : log.columns)
    if (meaning_of(column) == LogColumn::kOther) core::append_item(list, column.name);
  return list;
}

std::string view_statement(const OldLog& log, const std::string& view,
                           const std::vector<std::string>& words) {
  std::string list;
  for (const OldLog::Column& column : log.columns)
    core::append_item(list, view_column(log, column, words), ",\n           ");
  for (const char* own : {"view_name", "error_detail", "error_hint", "strategy", "strategy_reason",
                          "triggered_by", "initiated_by", "due_at", "rows_total", "run_id"})
    if (!has_column(log, own)) list += std::string(",\n           l.") + own;
  std::string where = "l.view_schema = " + literal(log.schema);
  if (find_column(log, LogColumn::kView) == nullptr)
    where += " AND l.view_name = " + literal(view);
  else
    where += " AND l.view_name IS NOT NULL";
  const OldLog::Column* status = find_column(log, LogColumn::kStatus);
  const bool knows_running =
      status == nullptr || status->words.empty() || !word_for("running", status->words).empty();
  if (!knows_running) where += " AND l.status <> 'running'";
  std::string statement = "CREATE VIEW " + pg::qualified(log.schema, log.name) +
                          " WITH (security_invoker = true, security_barrier = true) AS\n"
                          "    SELECT * FROM (\n    SELECT " +
                          list + "\n    FROM metrics_refresh.run_log l\n    WHERE " + where +
                          ") AS " + identifier(log.name);
  if (log.has_policies) statement += "\n    WHERE " + policy_condition(log);
  return statement;
}

}  // namespace metrics_refresh::store
