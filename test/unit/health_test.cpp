// Health of the server: each check at its limits, and what its findings say. Health of jobs:
// health_job_test.cpp.

#include "core/health/health.hpp"

#include <gtest/gtest.h>

#include <set>
#include <utility>

#include "unit/health_fixture.hpp"

namespace metrics_refresh::core::test {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

TEST_F(Health, EveryCheckIsThereOnceWhereAllIsWell) {
  std::multiset<std::string> names;
  for (const Finding& found : all()) {
    names.insert(found.check);
    EXPECT_EQ(found.severity, Severity::kOk) << found.detail;
    EXPECT_EQ(found.hint, "");
  }
  EXPECT_EQ(names, std::multiset<std::string>(kChecks.begin(), kChecks.end()));
  EXPECT_EQ(worst(all()), Severity::kOk);
}

TEST_F(Health, EveryCheckIsThereWithoutJobsAndWithoutPreload) {
  for (const bool preloaded : {true, false}) {
    ServerFacts facts;
    facts.preloaded = preloaded;
    std::set<std::string> names;
    for (const Finding& found : check_health(now, facts, {}, limits)) names.insert(found.check);
    EXPECT_EQ(names, kChecks) << preloaded;
  }
}

TEST_F(Health, SeverityWords) {
  EXPECT_STREQ(to_string(Severity::kOk), "ok");
  EXPECT_STREQ(to_string(Severity::kWarning), "warning");
  EXPECT_STREQ(to_string(Severity::kCritical), "critical");
}

TEST_F(Health, WorstOfSeveral) {
  const Finding ok{"a", Severity::kOk, "", ""};
  const Finding warning{"b", Severity::kWarning, "", ""};
  const Finding critical{"c", Severity::kCritical, "", ""};
  EXPECT_EQ(worst({}), Severity::kOk);
  EXPECT_EQ(worst({ok}), Severity::kOk);
  EXPECT_EQ(worst({ok, warning, ok}), Severity::kWarning);
  EXPECT_EQ(worst({critical, warning, ok}), Severity::kCritical);
  EXPECT_EQ(worst({ok, warning, critical}), Severity::kCritical);
}

TEST_F(Health, WithoutPreloadNothingRuns) {
  server.preloaded = server.launcher_running = server.scheduler_running = false;
  for (const Finding& found : all()) {
    const bool server_check =
        found.check == "preload" || found.check == "launcher" || found.check == "scheduler";
    EXPECT_EQ(found.severity, server_check ? Severity::kCritical : Severity::kOk) << found.check;
    EXPECT_EQ(found.hint.find("preload") != std::string::npos ||
                  found.hint.find("postgresql.conf") != std::string::npos,
              server_check)
        << found.hint;
  }
}

TEST_F(Health, LauncherHasToRun) {
  server.launcher_running = false;
  EXPECT_EQ(severity("launcher"), "critical");
  expect_text("launcher", "is not running", "server log");
}

TEST_F(Health, StandbyRunsNothingAndIsWell) {
  server.launcher_running = server.scheduler_running = false;
  server.in_recovery = true;
  EXPECT_EQ(finding("launcher").severity, Severity::kOk);
  EXPECT_NE(finding("launcher").detail.find("standby"), std::string::npos);
  EXPECT_NE(finding("scheduler").detail.find("standby"), std::string::npos);
}

TEST_F(Health, SchedulerMaySleepUntilSomethingIsDue) {
  server.scheduler_running = false;
  EXPECT_EQ(severity("scheduler"), "ok");
  server.next_due = now + hours{1};
  EXPECT_EQ(severity("scheduler"), "ok");
}

TEST_F(Health, SchedulerHasHalfAMinuteToServeADueTime) {
  server.next_due = now - seconds{30} + Duration{1};
  EXPECT_EQ(severity("scheduler"), "ok");
  server.next_due = now - seconds{30};
  EXPECT_EQ(severity("scheduler"), "ok");
  server.next_due = now - seconds{30} - Duration{1};
  EXPECT_EQ(severity("scheduler"), "critical");
  expect_text("scheduler", "passed 30 s ago", "max_worker_processes");
}

TEST_F(Health, SchedulerThatIsSwitchedOffIsAWarning) {
  server.enabled = false;
  server.next_due = now - hours{1};
  EXPECT_EQ(severity("scheduler"), "warning");
  expect_text("scheduler", "metrics_refresh.enabled is off", "Set it to on");
}

TEST_F(Health, SchedulerWithoutFreeWorkersIsAWarning) {
  server.waiting_runs = 1;
  EXPECT_EQ(severity("scheduler"), "warning");
  EXPECT_EQ(finding("scheduler").detail, "1 run waits because every worker is busy");
  server.waiting_runs = 12;
  server.waiting_since = now - seconds{29};
  expect_text("scheduler", "12 runs wait because every worker is busy",
              "Raise metrics_refresh.max_workers");
  EXPECT_EQ(finding("scheduler").detail.find("first"), std::string::npos);
  server.waiting_since = now - minutes{3};
  expect_text("scheduler", "every worker is busy, the first of them for 3 min", "max_workers");
  server.next_due = now - hours{1};
  EXPECT_EQ(findings("scheduler").size(), 2U);
  EXPECT_EQ(worst(findings("scheduler")), Severity::kCritical);
}

TEST_F(Health, LogMayOutliveItsRetentionByTheCleanUpsDelay) {
  const Instant limit = now - server.log_retention - hours{36};
  server.oldest_log_row = limit + Duration{1};
  EXPECT_EQ(severity("log_retention"), "ok");
  server.oldest_log_row = limit;
  EXPECT_EQ(severity("log_retention"), "ok");
  server.oldest_log_row = limit - Duration{1};
  EXPECT_EQ(severity("log_retention"), "warning");
  expect_text("log_retention", "goes back 31 days, beyond its retention of 30 days",
              "cleanup-metrics-logs");
}

TEST_F(Health, SettingsThatCannotWorkAreAWarning) {
  server.admin_reason = "there is no function public.is_super_admin()";
  EXPECT_EQ(severity("admin_settings"), "warning");
  expect_text("admin_settings", server.admin_reason, "Correct the setting");
}

TEST_F(Health, AShareThatIsNearlyUsedUpIsAWarning) {
  server.shares = {{"app", "jobs", 899, 1000, "metrics_refresh.max_jobs_per_role"}};
  EXPECT_EQ(severity("shares"), "ok");
  server.shares.push_back({"web", "requests", 900, 1000, "metrics_refresh.max_requests_per_role"});
  EXPECT_EQ(severity("shares"), "warning");
  expect_text("shares", "role web has 900 of 1000 requests",
              "raise metrics_refresh.max_requests_per_role");
}

TEST_F(Health, ProcessesAreEnoughForAllThatMayRunAtOnce) {
  server.processes = {8, 1, 4, 2, 0};
  EXPECT_EQ(severity("processes"), "ok");
  server.processes.databases = 2;
  EXPECT_EQ(severity("processes"), "warning");
  expect_text("processes",
              "max_worker_processes is 8, 1 too few: wanted are 1 for the launcher, 2 schedulers "
              "(one a database), 4 workers (metrics_refresh.max_workers) and 2 that other parts of "
              "the server have now",
              "Set max_worker_processes to 9 or more");
}

TEST_F(Health, ProcessesOfWhichNoneIsLeftForARunAreCritical) {
  server.processes = {4, 1, 1, 1, 0};
  EXPECT_EQ(severity("processes"), "ok");
  server.processes.limit = 3;
  EXPECT_EQ(severity("processes"), "critical");
  expect_text("processes", "max_worker_processes is 3, 1 too few, and no run can start",
              "Set max_worker_processes to 4 or more");
}

TEST_F(Health, ProcessesThatParallelQueriesHaveAreAWarningWhereOursAreNotLeft) {
  server.processes = {8, 1, 4, 1, 1};
  EXPECT_EQ(severity("processes"), "ok");
  server.processes.parallel = 4;
  EXPECT_EQ(severity("processes"), "warning");
  expect_text("processes",
              "parallel queries have 4 of 8 background processes now (max_worker_processes is 8), "
              "and 3 of those that metrics_refresh may want are not left",
              "Lower max_parallel_workers to 1, or raise max_worker_processes by 3 or more");
}

TEST_F(Health, SpansAreReadable) {
  const std::vector<std::pair<Duration, std::string>> spans = {
      {seconds{31}, "31 s"},   {seconds{119}, "119 s"},
      {seconds{120}, "2 min"}, {minutes{119}, "119 min"},
      {hours{2}, "2 h"},       {hours{48} - Duration{1}, "47 h"},
      {hours{48}, "2 days"},   {hours{24 * 400}, "400 days"}};
  for (const auto& [span, text] : spans) {
    server.next_due = now - span;
    EXPECT_NE(finding("scheduler").detail.find("passed " + text + " ago"), std::string::npos)
        << finding("scheduler").detail;
  }
}

}  // namespace
}  // namespace metrics_refresh::core::test
