// The text of functions that give what ours know in the shapes of those that people wrote by hand:
// columns are found by their names, and each is cast to the type it had.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "store/adoption/old_functions.hpp"
#include "store/adoption/value_kind.hpp"

namespace metrics_refresh::store {

/// What such a function can give.
struct Thin {
  struct Value {
    std::string names;  // of columns that mean this, with a blank before and after each
    ValueKind kind;
    std::string expression;
  };

  std::string name;
  std::vector<std::string> first;  // statements before the query
  std::string from;                // of the query, behind FROM
  std::string from_with_number;    // the same where there is an argument, a number; empty: no such
  std::string order;               // of its rows, or empty
  std::vector<Value> columns;      // of a row
  std::vector<Value> scalars;      // of the whole, for a function that returns one value
  bool writes = true;
  std::vector<OldFunction::Column> usual;  // of one that is made where there was none
};

/// One that cannot give what the function gives; `reason` says why.
struct NotServed {
  std::string reason;
};

/// The body of a function in SQL that returns what this one does.
std::variant<std::string, NotServed> body_of(const Thin& thin, const OldFunction& function);

/// The statement that puts the body in the function's place; its name, arguments, result, owner and
/// grants stay. It runs with its caller's rights.
std::string replace_statement(const Thin& thin, const OldFunction& function,
                              const std::string& schema, const std::string& body);

/// The function in its usual shape, which need not exist.
OldFunction usual_function(const Thin& thin, const std::string& schema);

}  // namespace metrics_refresh::store
