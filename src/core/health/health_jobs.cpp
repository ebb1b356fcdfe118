#include <cstdio>

#include "core/health/health_check.hpp"

namespace metrics_refresh::core {
namespace {

std::string number(double value, const char* unit) {
  char text[64];
  std::snprintf(text, sizeof text, "%.1f%s", value, unit);
  return text;
}

// The last error as a hint, or where to look.
std::string error_or(const std::string& last_error, const char* where) {
  return last_error.empty() ? where : "The last error was: " + last_error;
}

std::string times(int due, const HealthLimits& limits) {
  return "it was due " + std::to_string(due) +
         (due >= limits.stale_critical ? " times or more since" : " times since");
}

std::string rows(const std::optional<std::int64_t>& count) {
  if (!count) return "";
  return " (" + std::to_string(*count) + (*count == 1 ? " row)" : " rows)");
}

bool lacks_its_view(const JobFacts& job) {
  return !job.is_group && !job.views.empty() && !job.views.front().exists;
}

void check_suspended(std::vector<Finding>& findings, const std::vector<JobFacts>& jobs) {
  Check check(findings, "suspended", "no job is suspended");
  for (const JobFacts& job : jobs)
    if (job.suspended)
      check.add(
          Severity::kCritical,
          "job " + job.name + " is suspended" +
              (job.suspended->empty() ? "" : ": " + *job.suspended),
          "Mend the cause, then call metrics_refresh.resume(" + literal(argument(job)) + ").");
  check.close();
}

void check_existence(std::vector<Finding>& findings, const std::vector<JobFacts>& jobs) {
  Check check(findings, "view_missing", "every job's view exists");
  for (const JobFacts& job : jobs)
    for (const ViewFacts& view : job.views) {
      if (view.exists) continue;
      if (job.is_group)
        check.add(Severity::kWarning,
                  "group " + job.name + " lists the materialized view " + view.name +
                      ", which does not exist",
                  "Create the view, or call metrics_refresh.schedule_group() again without it.");
      else if (view.never_seen)
        check.add(Severity::kOk,
                  "job " + job.name +
                      " comes with the extension and waits for the materialized view " + view.name +
                      ", which has never existed",
                  "Create the view if you want one, or remove the job with "
                  "metrics_refresh.unschedule(" +
                      literal(argument(job)) + ").");
      else
        check.add(Severity::kWarning,
                  "job " + job.name + " waits for the materialized view " + view.name +
                      ", which does not exist",
                  "Create the view, or remove the job with metrics_refresh.unschedule(" +
                      literal(argument(job)) + ").");
    }
  check.close();
}

void check_members(std::vector<Finding>& findings, const std::vector<JobFacts>& jobs) {
  Check check(findings, "group_members", "every group has views");
  for (const JobFacts& job : jobs)
    if (job.is_group && job.views.empty())
      check.add(Severity::kWarning, "group " + job.name + " has no materialized views",
                "Create them in its schema, or call metrics_refresh.schedule_group() again with "
                "its views.");
  check.close();
}

// A view that was renamed is followed; the name that the job was given means it all the same.
void check_names(std::vector<Finding>& findings, const std::vector<JobFacts>& jobs) {
  Check check(findings, "view_renamed", "every job's view has the name that the job was given");
  for (const JobFacts& job : jobs)
    for (const ViewFacts& view : job.views) {
      const std::string subject = (job.is_group ? "group " : "job ") + job.name;
      const char* const settle =
          job.is_group
              ? "Call metrics_refresh.schedule_group() again with the views that are meant."
              : "Call metrics_refresh.schedule() again with this job_name and the view "
                "that is meant.";
      if (!view.namesake_owner.empty())
        check.add(Severity::kWarning,
                  subject + " refreshes " + view.name + ", and there is a materialized view " +
                      view.given_name + ", the name that it was given, which belongs to " +
                      view.namesake_owner,
                  settle);
      else if (view.exists && !view.given_name.empty())
        check.add(Severity::kOk,
                  subject + " refreshes " + view.name +
                      ", which was renamed: it was given the name " + view.given_name +
                      ", and returns to that name when a view has it again",
                  settle);
    }
  check.close();
}

void check_indexes(std::vector<Finding>& findings, const std::vector<JobFacts>& jobs) {
  Check check(findings, "unique_index", "every view has the unique index that its strategy needs");
  for (const JobFacts& job : jobs)
    for (const ViewFacts& view : job.views)
      if (view.exists && view.wants_unique_index)
        check.add(Severity::kWarning,
                  view.name + " has no unique index that the strategy concurrently can use",
                  view.index_to_create.empty()
                      ? "Refresh it by the strategy diff instead."
                      : "Run: " + view.index_to_create + " Or refresh it by the strategy diff.");
  check.close();
}

void check_population(std::vector<Finding>& findings, const std::vector<JobFacts>& jobs) {
  Check check(findings, "populated", "every job's view has been populated");
  for (const JobFacts& job : jobs)
    for (const ViewFacts& view : job.views)
      if (view.exists && !view.populated)
        check.add(Severity::kWarning,
                  view.name + " has never been populated, so nobody can read it",
                  "Call metrics_refresh.trigger(" + literal(argument(job)) + ").");
  check.close();
}

void check_owners(std::vector<Finding>& findings, const std::vector<JobFacts>& jobs) {
  Check check(findings, "owner", "every job's owner exists");
  for (const JobFacts& job : jobs)
    if (!job.owner_exists)
      check.add(Severity::kCritical,
                "job " + job.name + " belongs to the role " + job.owner + ", which does not exist",
                "A super admin can give it to another role: metrics_refresh.alter_job(" +
                    literal(argument(job)) + ", owner => ...).");
    else if (!job.login_problem.empty())
      check.add(Severity::kCritical, "job " + job.name + " cannot run: " + job.login_problem,
                "A command runs connected as its owner: let the role log in, or give the job to "
                "another with metrics_refresh.alter_job(" +
                    literal(argument(job)) + ", owner => ...).");
  check.close();
}

void check_blackouts(std::vector<Finding>& findings, const std::vector<JobFacts>& jobs) {
  Check check(findings, "blackout", "blackout windows leave every job due times");
  for (const JobFacts& job : jobs)
    if (job.never_due)
      check.add(Severity::kWarning,
                "job " + job.name + " is never due: its blackout windows cover its schedule",
                "Change one of them with metrics_refresh.alter_job(" + literal(argument(job)) +
                    ", ...).");
  check.close();
}

void check_success(std::vector<Finding>& findings, const std::vector<JobFacts>& jobs,
                   const HealthLimits& limits) {
  Check check(findings, "success_rate", "runs succeed as often as they should");
  for (const JobFacts& job : jobs) {
    // Due times at which there was nothing to do count for none of the runs: few are left to judge
    // by.
    if (job.finished_runs == 0 || job.fresh_since_last_run) continue;
    const double rate =
        100.0 * static_cast<double>(job.successful_runs) / static_cast<double>(job.finished_runs);
    const bool critical = rate < limits.success_rate_critical;
    if (!critical && rate >= limits.success_rate_warning) continue;
    check.add(critical ? Severity::kCritical : Severity::kWarning,
              "job " + job.name + ": " + number(rate, " %") + " of " +
                  std::to_string(job.finished_runs) + " runs succeeded in the last " +
                  std::to_string(limits.window_hours) + " h",
              error_or(job.last_error, "See metrics_refresh.run_log."));
  }
  check.close();
}

void check_retries(std::vector<Finding>& findings, const std::vector<JobFacts>& jobs) {
  Check check(findings, "retries", "no job has used up its retries");
  for (const JobFacts& job : jobs)
    if (job.max_retries > 0 && job.failed_attempts > job.max_retries && !job.suspended)
      check.add(Severity::kWarning,
                "job " + job.name + " failed " + std::to_string(job.failed_attempts) +
                    " times at its last due time: its retries are used up until the next",
                error_or(job.last_error, "See metrics_refresh.run_log."));
  check.close();
}

void check_durations(std::vector<Finding>& findings, const std::vector<JobFacts>& jobs,
                     const HealthLimits& limits) {
  Check check(findings, "duration", "runs are as short as they should be");
  const double longest = std::chrono::duration<double, std::milli>(limits.duration_warning).count();
  for (const JobFacts& job : jobs)
    if (job.mean_duration_ms && *job.mean_duration_ms > longest)
      check.add(Severity::kWarning,
                "job " + job.name + ": a run takes " +
                    number(*job.mean_duration_ms / 1000.0, " s") + " at the mean in the last " +
                    std::to_string(limits.window_hours) + " h",
                "See metrics_refresh.explain_refresh, or raise "
                "metrics_refresh.health_duration_warning.");
  check.close();
}

std::optional<Severity> staleness(int due_since_success, const HealthLimits& limits) {
  if (due_since_success >= limits.stale_critical) return Severity::kCritical;
  if (due_since_success >= limits.stale_warning) return Severity::kWarning;
  return std::nullopt;
}

// A view that does not exist and a suspended job have a finding of their own.
void check_freshness(std::vector<Finding>& findings, Instant now, const std::vector<JobFacts>& jobs,
                     const HealthLimits& limits) {
  Check check(findings, "freshness", "every job succeeded when it was last due");
  for (const JobFacts& job : jobs) {
    if (lacks_its_view(job) || job.suspended) continue;
    if (const auto severity = staleness(job.due_since_success, limits))
      check.add(*severity,
                (job.is_group ? "group " : "job ") + job.name +
                    (job.last_success ? " last succeeded " + span(now - *job.last_success) + " ago"
                                      : std::string(" has never succeeded")) +
                    "; " + times(job.due_since_success, limits),
                error_or(job.last_error, "See metrics_refresh.job_status and run_log."));
    if (!job.is_group) continue;
    for (const ViewFacts& view : job.views) {
      const auto severity = staleness(view.due_since_success, limits);
      if (!view.exists || !severity) continue;
      check.add(*severity,
                view.name + " of group " + job.name +
                    (view.last_success ? " was last refreshed " + span(now - *view.last_success) +
                                             " ago" + rows(view.rows)
                                       : std::string(" has never been refreshed")) +
                    "; " + times(view.due_since_success, limits),
                error_or(view.last_error, "See metrics_refresh.view_status() and run_log."));
    }
  }
  check.close();
}

}  // namespace

std::string argument(const JobFacts& job) { return job.argument.empty() ? job.name : job.argument; }

void check_jobs(std::vector<Finding>& findings, Instant now, const std::vector<JobFacts>& jobs,
                const HealthLimits& limits) {
  check_suspended(findings, jobs);
  check_existence(findings, jobs);
  check_members(findings, jobs);
  check_names(findings, jobs);
  check_indexes(findings, jobs);
  check_population(findings, jobs);
  check_rows(findings, jobs);
  check_owners(findings, jobs);
  check_blackouts(findings, jobs);
  check_success(findings, jobs, limits);
  check_retries(findings, jobs);
  check_durations(findings, jobs, limits);
  check_freshness(findings, now, jobs, limits);
}

}  // namespace metrics_refresh::core
