// The options that schedule(), schedule_command(), schedule_group() and alter_job() share: one
// table says for each what it allows. They are read by name, so a declaration may have them in any
// order and leave some out.
#pragma once

#include "api/arguments.hpp"
#include "store/jobs.hpp"

namespace metrics_refresh::api {

struct Options {
  store::Columns columns;    // of the table job, under the options' names
  bool reschedules = false;  // one of them says when the job is due
};

/// Of a new job: every option that the function has. Throws SqlError 22023 for a value that is not
/// allowed, with a hint, and 22004 for NULL where that means nothing.
Options new_options(const NamedArguments& arguments);

/// Of a job that is there: those that are not NULL. An infinite time, an empty blackout or
/// settings, and a max_parallel of 0 remove what was there.
Options changed_options(const NamedArguments& arguments);

}  // namespace metrics_refresh::api
