#include "store/adoption/thin_functions.hpp"

#include "pg/quote.hpp"

namespace metrics_refresh::store {
namespace {

using Value = Thin::Value;

// Dollar quotes that the text cannot end: it may hold the name of a group, which anybody chooses.
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
    if (!can_be(value->kind, column.type))
      return NotServed{"its column " + column.name + " is of type " + column.type_name};
    list += (list.empty() ? "" : ",\n           ") + cast(value->expression, column.type_name);
  }
  return list;
}

std::variant<std::string, NotServed> scalar_of(const Thin& thin, const OldFunction& function) {
  if (function.returns_set) return NotServed{"it returns " + function.result};
  for (const Value& value : thin.scalars)
    if (value.kind == kind_of(function.result_type))
      return cast(value.expression, function.result_type_name);
  return NotServed{"it returns " + function.result};
}

std::variant<std::string, NotServed> list_of(const Thin& thin, const OldFunction& function) {
  if (function.result_type == VOIDOID) return std::string();
  if (!function.columns.empty() && (function.returns_set || function.columns.size() > 1))
    return row_of(thin, function);
  return scalar_of(thin, function);
}

}  // namespace

std::variant<std::string, NotServed> body_of(const Thin& thin, const OldFunction& function) {
  if (!function.is_function) return NotServed{"it is no plain function"};
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
  // STABLE as it was where nothing is written: PostgREST answers GET by such functions.
  const bool is_volatile = thin.writes || function.is_volatile;
  return "CREATE OR REPLACE FUNCTION " + pg::qualified(schema, function.name) + "(" +
         function.arguments + ")\n    RETURNS " + function.result + "\n    LANGUAGE sql " +
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
