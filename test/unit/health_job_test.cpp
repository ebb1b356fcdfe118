// Health of jobs: each check at its limits, and what its findings say.

#include <gtest/gtest.h>

#include "core/health/health.hpp"
#include "unit/health_fixture.hpp"

namespace metrics_refresh::core::test {
namespace {

using std::chrono::hours;

using HealthOfJobs = Health;

TEST_F(HealthOfJobs, SuspendedIsCritical) {
  job.suspended = "five permanent errors in a row";
  EXPECT_EQ(severity("suspended"), "critical");
  expect_text("suspended", "job nightly is suspended: five permanent errors in a row",
              "metrics_refresh.resume('nightly')");
}

TEST_F(HealthOfJobs, AMissingViewIsAWarning) {
  view.exists = false;
  EXPECT_EQ(severity("view_missing"), "warning");
  expect_text("view_missing", "job nightly waits for the materialized view public.sales",
              "Create the view, or remove the job with metrics_refresh.unschedule('nightly')");
}

TEST_F(HealthOfJobs, AGroupWithoutViewsIsAWarning) {
  job.views.clear();
  EXPECT_EQ(severity("group_members"), "ok");  // of a command
  job.is_group = true;
  EXPECT_EQ(severity("group_members"), "warning");
  expect_text("group_members", "group nightly has no materialized views",
              "metrics_refresh.schedule_group() again");
}

TEST_F(HealthOfJobs, AViewOfADefaultJobThatNeverExistedIsANote) {
  view.exists = false;
  view.never_seen = true;
  EXPECT_EQ(worst(all()), Severity::kOk);
  bool noted = false;
  for (const Finding& found : all())
    if (found.check == "view_missing") {
      noted = true;
      EXPECT_NE(found.detail.find("job nightly comes with the extension and waits for the "
                                  "materialized view public.sales, which has never existed"),
                std::string::npos)
          << found.detail;
      EXPECT_NE(found.hint.find("Create the view if you want one, or remove the job with "
                                "metrics_refresh.unschedule('nightly')"),
                std::string::npos)
          << found.hint;
    }
  EXPECT_TRUE(noted);
}

TEST_F(HealthOfJobs, AViewThatWasRenamedIsANoteAndItsNamesakeAWarning) {
  view.given_name = "public.turnover";
  EXPECT_EQ(worst(all()), Severity::kOk);
  std::vector<Finding> renamed;
  for (const Finding& found : all())
    if (found.check == "view_renamed") renamed.push_back(found);
  ASSERT_EQ(renamed.size(), 1U);
  EXPECT_EQ(renamed[0].detail,
            "job nightly refreshes public.sales, which was renamed: it was given the name "
            "public.turnover, and returns to that name when a view has it again");
  view.namesake_owner = "mallory";
  EXPECT_EQ(severity("view_renamed"), "warning");
  expect_text("view_renamed",
              "job nightly refreshes public.sales, and there is a materialized view "
              "public.turnover, the name that it was given, which belongs to mallory",
              "Call metrics_refresh.schedule() again");
  job.is_group = true;
  expect_text("view_renamed", "group nightly refreshes", "schedule_group()");
}

TEST_F(HealthOfJobs, AMissingUniqueIndexIsAWarning) {
  view.wants_unique_index = true;
  EXPECT_EQ(severity("unique_index"), "warning");
  expect_text("unique_index", "public.sales has no unique index", "strategy diff");
  view.index_to_create = "CREATE UNIQUE INDEX ON public.sales (id)";
  expect_text("unique_index", "public.sales", "Run: CREATE UNIQUE INDEX ON public.sales (id)");
}

TEST_F(HealthOfJobs, AMissingViewLacksNoIndexAndIsNotStale) {
  view.exists = view.populated = false;
  view.wants_unique_index = true;
  job.due_since_success = 1000;
  EXPECT_EQ(severity("view_missing"), "warning");
}

TEST_F(HealthOfJobs, ASuspendedJobIsNotStaleBesides) {
  job.suspended = "five permanent errors in a row";
  job.due_since_success = 1000;
  EXPECT_EQ(severity("suspended"), "critical");
}

TEST_F(HealthOfJobs, AViewThatWasNeverPopulatedIsAWarning) {
  view.populated = false;
  EXPECT_EQ(severity("populated"), "warning");
  expect_text("populated", "public.sales has never been populated, so it cannot be read",
              "Call metrics_refresh.trigger('nightly').");
}

TEST_F(HealthOfJobs, AViewWhoseChangesAreNotSeenIsANoteUnlessItIsToBeKeptByKeys) {
  view.reason = "changes of the foreign table public.far cannot be seen here";
  EXPECT_EQ(severity("changes"), "ok");
  expect_text("changes",
              "public.sales is refreshed at every due time, changed or not: changes of the", "");
  job.is_incremental = true;
  EXPECT_EQ(severity("changes"), "warning");
  expect_text("changes",
              "public.sales is refreshed as a whole, although its strategy is incremental:",
              "Call metrics_refresh.alter_job('nightly', strategy => 'auto').");
  view.exists = false;
  EXPECT_EQ(severity("view_missing"), "warning");
}

TEST_F(HealthOfJobs, WhatAnAuditOfSkippingFoundIsCritical) {
  view.not_skipped = "an audit of skipping corrected 1 row";
  EXPECT_EQ(severity("audit"), "critical");
  expect_text("audit", "public.sales is not skipped any more: an audit of skipping corrected 1 row",
              "alter_job('nightly', strategy => 'auto')");
}

TEST_F(HealthOfJobs, WhatAnAuditFoundIsCritical) {
  view.demoted = "an audit corrected 3 rows";
  EXPECT_EQ(severity("audit"), "critical");
  expect_text("audit",
              "public.sales is not refreshed incrementally any more: an audit corrected 3 rows",
              "alter_job('nightly', strategy => 'incremental')");
}

TEST_F(HealthOfJobs, BlackoutsThatCoverAScheduleAreAWarning) {
  job.never_due = true;
  EXPECT_EQ(severity("blackout"), "warning");
  expect_text("blackout", "job nightly is never due", "metrics_refresh.alter_job('nightly', ...)");
}

TEST_F(HealthOfJobs, RetriesAreUsedUpAfterTheLast) {
  const auto with = [this](int failed_attempts, int max_retries) {
    job.failed_attempts = failed_attempts;
    job.max_retries = max_retries;
    return severity("retries");
  };
  EXPECT_EQ(with(0, 3), "ok");
  EXPECT_EQ(with(1, 3), "ok");  // a permanent error is not tried again
  EXPECT_EQ(with(3, 3), "ok");
  EXPECT_EQ(with(4, 3), "warning");
  EXPECT_EQ(with(2, 1), "warning");
  EXPECT_EQ(with(1, 0), "ok");
  job.last_error = "canceling statement due to lock timeout";
  with(4, 3);
  expect_text("retries", "job nightly failed 4 times at its last due time",
              "The last error was: canceling statement due to lock timeout");
  job.suspended = "reason";
  EXPECT_EQ(severity("suspended"), "critical");
}

TEST_F(HealthOfJobs, AMissingOwnerIsCritical) {
  job.owner_exists = false;
  EXPECT_EQ(severity("owner"), "critical");
  expect_text("owner", "job nightly belongs to the role anna, which does not exist",
              "metrics_refresh.alter_job('nightly', owner");
}

TEST_F(HealthOfJobs, ACommandWhoseOwnerCannotLogInIsCritical) {
  EXPECT_EQ(severity("owner"), "ok");
  job.login_reason = "role \"anna\" is not permitted to log in";
  EXPECT_EQ(severity("owner"), "critical");
  expect_text("owner", "job nightly cannot run: role \"anna\" is not permitted to log in",
              "metrics_refresh.alter_job('nightly', owner");
}

TEST_F(HealthOfJobs, HintsQuoteTheNameAsSqlDoes) {
  job.name = "o'hare'); DROP TABLE x; --";
  job.suspended = "reason";
  expect_text("suspended", job.name, "metrics_refresh.resume('o''hare''); DROP TABLE x; --').");
  job.suspended.reset();
  view.exists = false;
  expect_text("view_missing", job.name, "unschedule('o''hare''); DROP TABLE x; --').");
  view.exists = true;
  job.owner_exists = false;
  expect_text("owner", job.name, "alter_job('o''hare''); DROP TABLE x; --', owner");
}

TEST_F(HealthOfJobs, SuccessRateAtItsLimits) {
  const auto with = [this](std::int64_t successful) {
    job.finished_runs = 1000;
    job.successful_runs = successful;
    return severity("success_rate");
  };
  EXPECT_EQ(with(1000), "ok");
  EXPECT_EQ(with(951), "ok");
  EXPECT_EQ(with(950), "ok");
  EXPECT_EQ(with(949), "warning");
  EXPECT_EQ(with(801), "warning");
  EXPECT_EQ(with(800), "warning");
  EXPECT_EQ(with(799), "critical");
  EXPECT_EQ(with(0), "critical");
}

TEST_F(HealthOfJobs, SuccessRateOfNoRunsIsFine) {
  job.finished_runs = job.successful_runs = 0;
  EXPECT_EQ(severity("success_rate"), "ok");
}

TEST_F(HealthOfJobs, SuccessRateSaysHowManyRunsAndTheLastError) {
  job.successful_runs = 90;
  limits.window_hours = 6;
  expect_text("success_rate", "job nightly: 90.0 % of 100 runs succeeded in the last 6 h",
              "See metrics_refresh.run_log");
  job.last_error = "division by zero";
  expect_text("success_rate", "nightly", "The last error was: division by zero");
}

TEST_F(HealthOfJobs, DurationAtItsLimit) {
  const auto with = [this](std::optional<double> ms) {
    job.mean_duration_ms = ms;
    return severity("duration");
  };
  EXPECT_EQ(with(std::nullopt), "ok");
  EXPECT_EQ(with(0), "ok");
  EXPECT_EQ(with(4999.999), "ok");
  EXPECT_EQ(with(5000), "ok");
  EXPECT_EQ(with(5000.001), "warning");
  EXPECT_EQ(with(1e9), "warning");
  job.mean_duration_ms = 7250;
  limits.duration_warning = std::chrono::milliseconds{7249};
  expect_text("duration", "job nightly: a run takes 7.2 s on average in the last 24 h",
              "metrics_refresh.explain_refresh");
}

TEST_F(HealthOfJobs, FreshnessAtItsLimits) {
  const auto with = [this](int due) {
    job.due_since_success = due;
    return severity("freshness");
  };
  EXPECT_EQ(with(0), "ok");
  EXPECT_EQ(with(1), "ok");
  EXPECT_EQ(with(2), "warning");
  limits.stale_critical = 4;
  EXPECT_EQ(with(3), "warning");
  EXPECT_EQ(with(4), "critical");
  EXPECT_EQ(with(5), "critical");
}

TEST_F(HealthOfJobs, FreshnessSaysSinceWhen) {
  job.due_since_success = 2;
  expect_text("freshness", "job nightly has never succeeded; it was due 2 times since",
              "metrics_refresh.job_status");
  job.last_success = now - hours{5};
  job.last_error = "division by zero";
  expect_text("freshness", "job nightly last succeeded 5 h ago; it was due 2 times since",
              "The last error was: division by zero");
  job.due_since_success = 3;
  expect_text("freshness", "it was due 3 times or more since", "division by zero");
}

TEST_F(HealthOfJobs, AWarningLimitThatIsLooserThanTheCriticalOneHidesNothing) {
  limits.success_rate_warning = 0;
  job.successful_runs = 79;
  EXPECT_EQ(severity("success_rate"), "critical");
  job.successful_runs = 80;
  EXPECT_EQ(severity("success_rate"), "ok");
  limits.stale_warning = 1000;
  job.due_since_success = 3;
  EXPECT_EQ(severity("freshness"), "critical");
  job.due_since_success = 2;
  EXPECT_EQ(severity("freshness"), "ok");
}

TEST_F(HealthOfJobs, EachJobHasAFindingOfItsOwn) {
  job.due_since_success = 3;
  other.name = "hourly";
  other.due_since_success = 2;
  const std::vector<Finding> found = findings("freshness");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].detail.find("job hourly"), 0U);
  EXPECT_EQ(found[0].severity, Severity::kWarning);
  EXPECT_EQ(found[1].detail.find("job nightly"), 0U);
  EXPECT_EQ(found[1].severity, Severity::kCritical);
}

}  // namespace
}  // namespace metrics_refresh::core::test
