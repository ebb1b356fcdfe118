#include "core/health/health_check.hpp"

namespace metrics_refresh::core {
namespace {

// That a view is refreshed at each due time is as it should be, and people want to know why.
void check_changes(std::vector<Finding>& findings, const std::vector<JobFacts>& jobs) {
  Check check(findings, "changes", "changes of all tables that views read are counted");
  for (const JobFacts& job : jobs)
    for (const ViewFacts& view : job.views) {
      if (!view.exists || view.unseen.empty()) continue;
      if (job.is_incremental)
        check.add(
            Severity::kWarning,
            view.name +
                " is refreshed as a whole, although its strategy is incremental: " + view.unseen,
            "Call metrics_refresh.alter_job(" + literal(argument(job)) + ", strategy => 'auto').");
      else
        check.add(Severity::kOk,
                  view.name + " is refreshed at every due time, changed or not: " + view.unseen,
                  "");
    }
  check.close();
}

void check_audits(std::vector<Finding>& findings, const std::vector<JobFacts>& jobs) {
  Check check(findings, "audit", "no audit found a row wrong");
  for (const JobFacts& job : jobs)
    for (const ViewFacts& view : job.views)
      if (!view.demoted.empty())
        check.add(Severity::kCritical,
                  view.name + " is not refreshed incrementally any more: " + view.demoted,
                  "Find out who changed its tables past the triggers, or report it; then call "
                  "metrics_refresh.alter_job(" +
                      literal(argument(job)) + ", strategy => 'incremental').");
  for (const JobFacts& job : jobs)
    for (const ViewFacts& view : job.views)
      if (!view.not_skipped.empty())
        check.add(Severity::kCritical, view.name + " is not skipped any more: " + view.not_skipped,
                  "Find out which of its functions depends on more than its arguments, and declare "
                  "it STABLE or VOLATILE; then call metrics_refresh.alter_job(" +
                      literal(argument(job)) + ", strategy => 'auto').");
  check.close();
}

}  // namespace

void check_rows(std::vector<Finding>& findings, const std::vector<JobFacts>& jobs) {
  check_changes(findings, jobs);
  check_audits(findings, jobs);
}

}  // namespace metrics_refresh::core
