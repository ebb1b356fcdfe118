// The schedules of a hand-written installation. Jobs of pg_cron that call its functions become jobs
// of this extension, which refresh the views directly.
#pragma once

#include "api/imports/import_pg_cron.hpp"

#include <string>
#include <vector>

#include "api/adoption/adoption.hpp"

namespace metrics_refresh::api {

/// A job of pg_cron that consists of one call of a function, or of one REFRESH of the view.
struct CronCall {
  OldJob old;
  std::string function;  // empty: it refreshes the view
  // In the syntax of this extension; empty if it is never due.
  std::string schedule;
  std::string timezone;
};

struct CronCalls {
  std::optional<PgCron> cron;
  std::vector<CronCall> calls;
};

/// The jobs in this database that call functions with these names in the schema. Unless it is a dry
/// run, waits for a moment at which jobs can be taken over, and locks the jobs.
CronCalls find_calls(const Adoption& adoption, const std::string& schema,
                     const std::vector<std::string>& functions, const std::string& view);

/// Adds the step that pauses the job in pg_cron. `job` is the name or number of the new job, whose
/// due times count from the commit.
void replace_call(Adoption& adoption, const CronCalls& calls, const CronCall& call,
                  const std::string& job);

/// The statement that undoes it.
std::string statement_to_go_on(const CronCall& call);

/// The first active one of them, else the first one; or null.
const CronCall* first_of(const CronCalls& calls, const std::vector<std::string>& functions);

/// Adds the steps for the jobs of the view platform_metrics in this schema.
void adopt_platform_jobs(Adoption& adoption, const std::string& schema);

}  // namespace metrics_refresh::api
