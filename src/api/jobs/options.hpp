// The options that schedule(), schedule_command(), schedule_group() and alter_job() share. One
// table defines the allowed values of each. Arguments are read by name, so that a function can
// declare the options in any order and omit some.
#pragma once

#include "api/option_table.hpp"

namespace metrics_refresh::api {

/// The options of a new job: all that the function has. Throws SqlError 22023 if a value is not
/// allowed, with a hint, and 22004 if an option is NULL that must not be.
Options new_options(const NamedArguments& arguments);

/// The options of an existing job that are not NULL. An infinite time, an empty blackout, empty
/// settings and a max_parallel of 0 remove the present value.
Options changed_options(const NamedArguments& arguments);

/// True if the option `isolation` asks for one transaction with one snapshot.
bool is_on_one_snapshot(const NamedArguments& arguments);

}  // namespace metrics_refresh::api
