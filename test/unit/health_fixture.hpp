// A server and two jobs in perfect health, for tests that spoil one thing at a time.
#pragma once

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "core/health/health.hpp"
#include "unit/utc.hpp"

namespace metrics_refresh::core::test {

inline const std::set<std::string> kChecks = {
    "preload",       "launcher",          "scheduler",     "suspended",     "view_missing",
    "unique_index",  "populated",         "audit",         "changes",       "owner",
    "blackout",      "success_rate",      "retries",       "duration",      "freshness",
    "log_retention", "admin_settings",    "shares",        "group_members", "processes",
    "view_renamed",  "queue_late",        "queue_storage", "queue_crash",   "queue_types",
    "queue_double",  "queue_transactions"};

inline JobFacts healthy_job() {
  JobFacts job;
  job.name = "nightly";
  ViewFacts view;
  view.name = "public.sales";
  job.views = {view};
  job.owner = "anna";
  job.finished_runs = 100;
  job.successful_runs = 100;
  job.mean_duration_ms = 20;
  return job;
}

class Health : public testing::Test {
 protected:
  Health() {
    server.preloaded = server.launcher_running = server.scheduler_running = true;
    server.log_retention = std::chrono::hours{24 * 30};
  }

  std::vector<Finding> all() const { return check_health(now, server, {other, job}, limits); }

  /// The findings of one check. Every other check has to be there too, and to be fine.
  std::vector<Finding> findings(const std::string& check) const {
    std::vector<Finding> result;
    std::set<std::string> names;
    for (const Finding& finding : all()) {
      names.insert(finding.check);
      EXPECT_FALSE(finding.detail.empty()) << finding.check;
      EXPECT_EQ(finding.hint.empty(), finding.severity == Severity::kOk) << finding.detail;
      if (finding.check == check)
        result.push_back(finding);
      else
        EXPECT_EQ(finding.severity, Severity::kOk) << finding.check << ": " << finding.detail;
    }
    EXPECT_EQ(names, kChecks);
    return result;
  }

  /// The only finding of one check.
  Finding finding(const std::string& check) const {
    const std::vector<Finding> found = findings(check);
    EXPECT_EQ(found.size(), 1U) << check;
    return found.at(0);
  }

  std::string severity(const std::string& check) const {
    return to_string(finding(check).severity);
  }

  void expect_text(const std::string& check, const std::string& detail, const std::string& hint) {
    const Finding found = finding(check);
    EXPECT_NE(found.detail.find(detail), std::string::npos) << found.detail;
    EXPECT_NE(found.hint.find(hint), std::string::npos) << found.hint;
  }

  const Instant now = utc("2024-05-15 10:00");
  ServerFacts server;
  JobFacts job = healthy_job();
  ViewFacts& view = job.views.front();
  JobFacts other = healthy_job();
  HealthLimits limits;
};

}  // namespace metrics_refresh::core::test
