// The schedules of what was written by hand: jobs of pg_cron that call the functions become jobs
// here, which refresh the views themselves.
#pragma once

#include "api/imports/import_pg_cron.hpp"

#include <string>
#include <vector>

#include "api/adoption/adoption.hpp"

namespace metrics_refresh::api {

/// A job of pg_cron that is one call of a function, or one REFRESH of the view.
struct CronCall {
  OldJob old;
  std::string function;  // empty: it refreshes the view
  std::string schedule;  // in our dialect; empty where it is never due
  std::string timezone;
};

struct CronCalls {
  std::optional<PgCron> cron;
  std::vector<CronCall> calls;
};

/// Those that call functions of these names in the schema, in this database. Unless it is a dry
/// run, waits for a moment at which jobs can go over, and keeps them as they are.
CronCalls find_calls(const Adoption& adoption, const std::string& schema,
                     const std::vector<std::string>& functions, const std::string& view);

/// Adds the step that pauses the job in pg_cron. `job` is the new one by its name or number, whose
/// due times count from the commit on.
void take_over_call(Adoption& adoption, const CronCalls& calls, const CronCall& call,
                    const std::string& job);

/// The statements that take that back.
std::string statement_to_go_on(const CronCall& call);

/// The first of them whose job is active, else the first; or null.
const CronCall* first_of(const CronCalls& calls, const std::vector<std::string>& functions);

/// Adds the steps for the jobs around the view platform_metrics of the schema.
void adopt_platform_jobs(Adoption& adoption, const std::string& schema);

}  // namespace metrics_refresh::api
