// Options as a table. Each line names an option, the type of its column, the function that checks
// it, and its limits. Arguments are read by name, so that a function can declare the options in any
// order and omit some.
#pragma once

#include "api/arguments.hpp"
#include "store/jobs.hpp"
#include "store/words.hpp"

namespace metrics_refresh::api {

struct Option {
  const char* name;
  Oid type;
  /// Returns the argument as a value for the column. REQUIRES: the argument is not NULL.
  pg::Param (*read)(const NamedArguments& arguments, const Option& option);
  bool optional = false;     // NULL is allowed for a new row
  bool reschedules = false;  // a change restarts the count of due times
  // Limits of numbers, and of intervals in milliseconds.
  double low = 0;
  double high = 0;
};

struct Options {
  // Columns of the table, which have the names of the options.
  store::Columns columns;
  bool reschedules = false;  // one of the options changes the due times
};

inline constexpr double kDayOfOptions = 24.0 * 3600 * 1000;  // in milliseconds
// The server's timeouts are 32-bit milliseconds.
inline constexpr double kLongestOption = 24 * kDayOfOptions;

[[noreturn]] void refuse_option(const std::string& message, const std::string& hint = {});

// The readers throw SqlError 22023 if the value is not allowed.

pg::Param read_flag(const NamedArguments& arguments, const Option& option);
pg::Param read_number(const NamedArguments& arguments, const Option& option);
/// A number; 0 means no limit, which is NULL in the table.
pg::Param read_limit(const NamedArguments& arguments, const Option& option);
pg::Param read_interval(const NamedArguments& arguments, const Option& option);
/// An interval within metrics_refresh.max_job_runtime, unless it is at most `accepted`.
pg::Param read_runtime(const NamedArguments& arguments, const Option& option,
                       core::Duration accepted);

template <typename T>
pg::Param read_word(const NamedArguments& arguments, const Option& option) {
  return store::to_text(store::from_argument<T>(option.name, *arguments.get_text(option.name)));
}

/// The options of a new row: all that the function has. Throws SqlError 22004 if an option is NULL
/// that must not be.
void add_new_option(const NamedArguments& arguments, const Option& option, Options& options);
/// The options of an existing row that are not NULL.
void add_changed_option(const NamedArguments& arguments, const Option& option, Options& options);

template <std::size_t N>
Options new_options(const NamedArguments& arguments, const Option (&table)[N]) {
  Options result{{}, true};
  for (const Option& option : table) add_new_option(arguments, option, result);
  return result;
}

template <std::size_t N>
Options changed_options(const NamedArguments& arguments, const Option (&table)[N]) {
  Options result;
  for (const Option& option : table) add_changed_option(arguments, option, result);
  return result;
}

}  // namespace metrics_refresh::api
