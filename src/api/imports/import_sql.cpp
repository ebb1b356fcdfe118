// Classifies SQL text with the server's parser.
//
// Only raw parse trees are examined, without name lookup. The forms that are recognized are few.
// Any other text is an ordinary command, so that a form that is not recognized costs nothing but
// the advantages of a refresh job. Examples:
//   REFRESH MATERIALIZED VIEW a; REFRESH MATERIALIZED VIEW s.b    refreshes of a and s.b
//   SET statement_timeout = '1min'; REFRESH MATERIALIZED VIEW a    the same with a timeout
//   SELECT refresh_all()                                           a call of refresh_all
#include "api/imports/import_sql.hpp"

namespace metrics_refresh::api {
namespace {

List* parse(const std::string& sql) {
  const char* text = sql.c_str();
  return pg::call([text] { return raw_parser(text, RAW_PARSE_DEFAULT); });
}

Node* statement_of(const ListCell* cell) { return static_cast<RawStmt*>(lfirst(cell))->stmt; }

template <typename T>
T* as(Node* node, NodeTag tag) {
  return node != nullptr && nodeTag(node) == tag ? reinterpret_cast<T*>(node) : nullptr;
}

template <typename T>
T* only(List* list, NodeTag tag) {
  return list_length(list) == 1 ? as<T>(static_cast<Node*>(linitial(list)), tag) : nullptr;
}

std::optional<SqlName> name_of(List* parts) {
  const int count = list_length(parts);
  if (count < 1 || count > 2) return std::nullopt;
  return SqlName{count == 2 ? strVal(linitial(parts)) : "", strVal(llast(parts))};
}

// Only calls without arguments: their values could depend on anything.
std::optional<SqlName> called(Node* node) {
  const auto* call = as<FuncCall>(node, T_FuncCall);
  if (call == nullptr || call->args != NIL || call->agg_star || call->agg_filter != nullptr ||
      call->agg_order != NIL || call->over != nullptr)
    return std::nullopt;
  return name_of(call->funcname);
}

// A list of columns and FROM, without any other clause.
bool is_plain(const SelectStmt* select) {
  return select->op == SETOP_NONE && select->distinctClause == NIL &&
         select->intoClause == nullptr && select->whereClause == nullptr &&
         select->groupClause == NIL && select->havingClause == nullptr &&
         select->windowClause == NIL && select->valuesLists == NIL && select->sortClause == NIL &&
         select->limitOffset == nullptr && select->limitCount == nullptr &&
         select->lockingClause == NIL && select->withClause == nullptr;
}

bool is_star(Node* node) {
  const auto* column = as<ColumnRef>(node, T_ColumnRef);
  return column != nullptr && only<A_Star>(column->fields, T_A_Star) != nullptr;
}

// SELECT f() or SELECT * FROM f().
std::optional<SqlName> selected(const SelectStmt* select) {
  const auto* target = only<ResTarget>(select->targetList, T_ResTarget);
  if (!is_plain(select) || target == nullptr || target->indirection != NIL) return std::nullopt;
  if (select->fromClause == NIL) return called(target->val);
  const auto* from = only<RangeFunction>(select->fromClause, T_RangeFunction);
  if (!is_star(target->val) || from == nullptr || from->lateral || from->ordinality ||
      from->coldeflist != NIL)
    return std::nullopt;
  const auto* function = only<List>(from->functions, T_List);
  return function == nullptr ? std::nullopt : called(static_cast<Node*>(linitial(function)));
}

void read_call(Node* statement, ParsedCommand& result) {
  const auto* call = as<CallStmt>(statement, T_CallStmt);
  const auto* select = as<SelectStmt>(statement, T_SelectStmt);
  result.calls_procedure = call != nullptr;
  if (call != nullptr) result.call = called(reinterpret_cast<Node*>(call->funccall));
  if (select != nullptr) result.call = selected(select);
}

// The view of a REFRESH; nothing for other statements. A name with a database is not supported.
std::optional<SqlName> refreshed(Node* statement, bool& with_no_data) {
  const auto* refresh = as<RefreshMatViewStmt>(statement, T_RefreshMatViewStmt);
  if (refresh == nullptr || refresh->relation->catalogname != nullptr) return std::nullopt;
  with_no_data = with_no_data || refresh->skipData;
  const char* schema = refresh->relation->schemaname;
  return SqlName{schema != nullptr ? schema : "", refresh->relation->relname};
}

// The constant of `SET name = constant`.
std::optional<std::string> constant_of(const VariableSetStmt* set) {
  if (set->kind != VAR_SET_VALUE) return std::nullopt;
  auto* const constant = only<A_Const>(set->args, T_A_Const);
  if (constant == nullptr || constant->isnull) return std::nullopt;
  if (nodeTag(&constant->val) == T_Integer) return std::to_string(intVal(&constant->val));
  if (nodeTag(&constant->val) == T_String) return strVal(&constant->val);
  return std::nullopt;
}

// True if the statement sets one of the timeouts and does nothing else.
bool sets_timeout(Node* statement, Timeouts& timeouts) {
  const auto* set = as<VariableSetStmt>(statement, T_VariableSetStmt);
  if (set == nullptr || set->name == nullptr) return false;
  const bool is_lock = pg_strcasecmp(set->name, "lock_timeout") == 0;
  if (!is_lock && pg_strcasecmp(set->name, "statement_timeout") != 0) return false;
  const std::optional<std::string> text = constant_of(set);
  if (!text) return false;
  const char* const value = text->c_str();
  int milliseconds = 0;
  const bool is_read = pg::call(
      [&milliseconds, value] { return parse_int(value, &milliseconds, GUC_UNIT_MS, nullptr); });
  if (!is_read || milliseconds < 0) return false;
  if (is_lock)
    timeouts.lock = milliseconds;
  else
    timeouts.statement = milliseconds;
  return true;
}

}  // namespace

ParsedCommand parse_command(const std::string& sql) {
  List* statements = parse(sql);
  ParsedCommand result;
  if (list_length(statements) == 1) read_call(statement_of(list_head(statements)), result);
  bool has_others = false;
  ListCell* cell;
  foreach (cell, statements) {
    const auto view = refreshed(statement_of(cell), result.with_no_data);
    // A timeout counts only if it is set before the first refresh. A later one would apply to some
    // refreshes only.
    if (view)
      result.refreshes.push_back(*view);
    else if (!result.refreshes.empty() || !sets_timeout(statement_of(cell), result.timeouts))
      has_others = true;
  }
  result.refreshes_among_others = has_others && !result.refreshes.empty();
  if (has_others) result.refreshes.clear();
  if (result.refreshes.empty()) result.timeouts = {};
  return result;
}

// A cast of a constant may run an input function, but has no side effect.
bool is_constant(const std::string& expression) {
  if (expression.empty()) return true;
  List* statements = parse("SELECT " + expression);
  if (list_length(statements) != 1) return false;
  const auto* select = as<SelectStmt>(statement_of(list_head(statements)), T_SelectStmt);
  if (select == nullptr || !is_plain(select) || select->fromClause != NIL) return false;
  const auto* target = only<ResTarget>(select->targetList, T_ResTarget);
  if (target == nullptr) return false;
  const auto* cast = as<TypeCast>(target->val, T_TypeCast);
  return as<A_Const>(cast != nullptr ? cast->arg : target->val, T_A_Const) != nullptr;
}

}  // namespace metrics_refresh::api
