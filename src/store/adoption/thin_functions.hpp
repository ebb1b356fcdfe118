// Builds the text of functions that return the data of the extension in the form of existing
// hand-written functions. Columns are found by name, and each value is cast to the type of its
// column.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "store/adoption/old_functions.hpp"
#include "store/adoption/value_kind.hpp"

namespace metrics_refresh::store {

/// The values that a replacement can return.
struct Thin {
  struct Value {
    // Names of columns with this meaning, separated by blanks, with a blank before and after.
    std::string names;
    ValueKind kind;
    std::string expression;
  };

  std::string name;
  std::vector<std::string> first;  // statements before the query
  std::string from;                // the FROM clause of the query
  // The FROM clause if the function has an argument, which is a number; empty: not supported.
  std::string from_with_number;
  std::string order;           // ORDER BY of its rows, or empty
  std::vector<Value> columns;  // values for the columns of a row
  std::vector<Value> scalars;  // values for a function that returns one value
  bool writes = true;
  // The columns of the function if it does not exist yet.
  std::vector<OldFunction::Column> usual;
};

/// The function cannot be replaced, for this reason.
struct NotServed {
  std::string reason;
};

/// The body of an SQL function with the result of this function.
std::variant<std::string, NotServed> body_of(const Thin& thin, const OldFunction& function);

/// The statement that replaces the function by one with this body. Name, arguments, result, owner
/// and grants stay. The new function runs with the rights of its caller.
std::string replace_statement(const Thin& thin, const OldFunction& function,
                              const std::string& schema, const std::string& body);

/// The function in its usual form. It need not exist.
OldFunction usual_function(const Thin& thin, const std::string& schema);

}  // namespace metrics_refresh::store
