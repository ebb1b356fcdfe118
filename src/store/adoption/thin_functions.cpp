// Builds the body of a function that replaces a hand-written one.
//
// The new function must have the same name, arguments and result type, because other objects may
// depend on it. Each of its columns is looked up by name in a Thin, and the expression is cast to
// the type of the column. If one column cannot be provided, the function is not replaced. Example:
//   existing   get_stats() RETURNS TABLE (total int, last_run timestamptz)
//   new body   SELECT (s.total_refreshes)::int, (s.last_refresh_at)::timestamptz FROM ... s
#include "store/adoption/thin_functions.hpp"

#include "pg/quote.hpp"

namespace metrics_refresh::store {
namespace {

using Value = Thin::Value;

// Dollar quotes with a tag that the text does not contain. The text may contain the name of a
// group, which any role can choose.
std::string quoted(const std::string& text) {
  std::string tag = "$metrics_refresh$";
  for (int n = 1; text.find(tag) != std::string::npos; ++n)
    tag = "$metrics_refresh_" + std::to_string(n) + "$";
  return tag + text + tag;
}

const Value* find_column(const Thin& thin, const std::string& name) {
  for (const Value& value : thin.columns)
    if (value.names.find(" " + name + " ") != std::string::npos) return &value;
  return nullptr;
}

std::string cast(const std::string& expression, const std::string& type) {
  return "(" + expression + ")::" + type;
}

std::variant<std::string, NotServed> row_of(const Thin& thin, const OldFunction& function) {
  std::string list;
  for (const OldFunction::Column& column : function.columns) {
    const Value* value = find_column(thin, column.name);
    if (value == nullptr) return NotServed{"nothing here gives its column " + column.name};
    // A cast that fails at run time would be worse than a function that is not replaced.
    if (!can_be(value->kind, column.type))
      return NotServed{"its column " + column.name + " is of type " + column.type_name};
    core::append_item(list, cast(value->expression, column.type_name), ",\n           ");
  }
  return list;
}

// The first value of the same kind is used, since a scalar result has no name.
std::variant<std::string, NotServed> scalar_of(const Thin& thin, const OldFunction& function) {
  if (function.returns_set) return NotServed{"it returns " + function.result};
  for (const Value& value : thin.scalars)
    if (value.kind == kind_of(function.result_type))
      return cast(value.expression, function.result_type_name);
  return NotServed{"it returns " + function.result};
}

std::variant<std::string, NotServed> list_of(const Thin& thin, const OldFunction& function) {
  // An empty list: SELECT FROM still calls the function in FROM.
  if (function.result_type == VOIDOID) return std::string();
  // A single output argument is not a row.
  if (!function.columns.empty() && (function.returns_set || function.columns.size() > 1))
    return row_of(thin, function);
  return scalar_of(thin, function);
}

}  // namespace

std::variant<std::string, NotServed> body_of(const Thin& thin, const OldFunction& function) {
  if (!function.is_function) return NotServed{"it is no plain function"};
  // One argument is supported: a number, which the query passes on.
  const bool has_number = function.argument_count == 1 && !thin.from_with_number.empty() &&
                          kind_of(function.first_argument) == ValueKind::kNumber;
  if (function.argument_count > 0 && !has_number)
    return NotServed{"its arguments mean nothing here"};
  const std::variant<std::string, NotServed> list = list_of(thin, function);
  if (const auto* no = std::get_if<NotServed>(&list)) return *no;
  std::string body = "\n";
  for (const std::string& statement : thin.first) body += "    " + statement + ";\n";
  body += "    SELECT " + std::get<std::string>(list) + "\n    FROM " +
          (has_number ? thin.from_with_number : thin.from);
  if (!function.columns.empty() && !thin.order.empty()) body += "\n    ORDER BY " + thin.order;
  return body + ";\n";
}

std::string replace_statement(const Thin& thin, const OldFunction& function,
                              const std::string& schema, const std::string& body) {
  // A function that only reads stays STABLE if it was: PostgREST allows GET requests for such
  // functions.
  const bool is_volatile = thin.writes || function.is_volatile;
  return "CREATE OR REPLACE FUNCTION " + pg::qualified(schema, function.name) + "(" +
         function.arguments + ")\n    RETURNS " + function.result + "\n    LANGUAGE sql " +
         // With a fixed search_path, no object of a user can replace a function or operator in the
         // body.
         (is_volatile ? "VOLATILE" : "STABLE") + " SET search_path = pg_catalog, pg_temp AS " +
         quoted(body);
}

OldFunction usual_function(const Thin& thin, const std::string& schema) {
  OldFunction function;
  function.name = thin.name;
  function.signature = pg::qualified(schema, thin.name) + "()";
  for (const OldFunction::Column& column : thin.usual)
    function.result +=
        (function.result.empty() ? "TABLE(" : ", ") + column.name + " " + column.type_name;
  function.result += ")";
  function.columns = thin.usual;
  function.result_type = RECORDOID;
  function.returns_set = true;
  function.is_function = true;
  function.is_volatile = true;
  return function;
}

}  // namespace metrics_refresh::store
