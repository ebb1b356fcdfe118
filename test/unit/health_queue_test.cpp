// Health of the job queue: each check at its limits, and what its findings say.

#include "core/health/health.hpp"

#include <gtest/gtest.h>

#include "unit/health_fixture.hpp"

namespace metrics_refresh::core::test {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

class QueueHealth : public Health {
 protected:
  QueueHealth() { queue.workers = 2; }

  void wait(Duration time, bool is_external = false, const char* type = "mail") {
    queue.waiting.push_back({type, is_external, now - time});
  }

  QueueFacts& queue = server.queue;
};

TEST_F(QueueHealth, ReadyJobsMayWaitForAMinuteIfThereAreWorkers) {
  wait(seconds{59});
  EXPECT_EQ(severity("queue_late"), "ok");
  queue.waiting.clear();
  wait(minutes{1});
  EXPECT_EQ(severity("queue_late"), "warning");
  expect_text("queue_late", "ready jobs of the type mail have waited for 60 s",
              "Raise metrics_refresh.queue_workers");
}

TEST_F(QueueHealth, WithoutWorkersReadyJobsAreServedInHalfAMinute) {
  queue.workers = 0;
  wait(seconds{29});
  EXPECT_EQ(severity("queue_late"), "ok");
  queue.waiting.clear();
  wait(seconds{30});
  EXPECT_EQ(severity("queue_late"), "critical");
  expect_text("queue_late", "have waited for 30 s, and no worker serves the queue",
              "max_worker_processes");
}

TEST_F(QueueHealth, AQueueThatIsNotReadAfterAStartIsCritical) {
  queue.is_open = false;
  wait(seconds{29});
  EXPECT_EQ(severity("queue_late"), "ok");
  queue.waiting.clear();
  wait(seconds{30});
  EXPECT_EQ(severity("queue_late"), "critical");
  expect_text("queue_late", "the queue has not been read since the start", "server log");
}

TEST_F(QueueHealth, TheTypeThatWaitsLongestIsNamedAndOthersAreCounted) {
  wait(minutes{3}, false, "a");
  wait(minutes{5}, false, "b");
  wait(minutes{4}, false, "c");
  wait(seconds{1}, false, "d");
  expect_text("queue_late", "the type b have waited for 5 min, and 2 other types too", "");
}

TEST_F(QueueHealth, WorkersOutsideTheServerMayComeSeldom) {
  wait(minutes{10} - seconds{1}, true);
  queue.workers = 0;
  EXPECT_EQ(severity("queue_late"), "ok");
  queue.waiting.clear();
  wait(minutes{10}, true);
  EXPECT_EQ(severity("queue_late"), "warning");
  expect_text("queue_late", "for 10 min for a worker outside the server", "claim jobs");
}

TEST_F(QueueHealth, LateJobsOfBothKindsAreTwoFindings) {
  wait(minutes{10}, true, "outside");
  wait(minutes{2}, false, "inside");
  EXPECT_EQ(findings("queue_late").size(), 2U);
}

TEST_F(QueueHealth, JobsAreNotLateIfNoneMayStart) {
  wait(hours{1});
  server.in_recovery = true;
  EXPECT_EQ(severity("queue_late"), "ok");
  server.in_recovery = false;
  server.enabled = false;
  for (const Finding& found : all())
    EXPECT_EQ(found.severity, found.check == "scheduler" ? Severity::kWarning : Severity::kOk);
}

TEST_F(QueueHealth, WithoutAFreeSegmentTheStorageGrows) {
  queue.has_free_segment = false;
  EXPECT_EQ(severity("queue_storage"), "warning");
  expect_text("queue_storage", "no segment of the queue is free", "paused");
}

TEST_F(QueueHealth, TheTransactionThatBlocksASegmentIsNamed) {
  queue.has_free_segment = false;
  queue.blocker = QueueFacts::Blocker{4711, now - minutes{20}};
  expect_text("queue_storage",
              "the transaction of the process 4711 keeps one from being emptied, for 20 min",
              "pg_terminate_backend(4711)");
  queue.blocker = QueueFacts::Blocker{0, std::nullopt};
  expect_text("queue_storage", "a prepared transaction keeps one from being emptied",
              "pg_prepared_xacts");
}

TEST_F(QueueHealth, JobsThatCrashTheServerAreToldByType) {
  queue.crashed = {{"mail", 1, 4097}, {"report", 3, 5}};
  const std::vector<Finding> found = findings("queue_crash");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].severity, Severity::kCritical);
  EXPECT_EQ(found[0].detail,
            "1 job of the type mail is dead because the server crashed, the first of them 4097");
  EXPECT_EQ(found[1].detail,
            "3 jobs of the type report are dead because the server crashed, the first of them 5");
  EXPECT_NE(found[1].hint.find("metrics_refresh.retry_job(5)"), std::string::npos);
}

TEST_F(QueueHealth, ATypeNeedsAnOwnerAndAHandler) {
  QueueFacts::Unusable type;
  type.type = "it's";
  type.owner = "anna";
  type.handler = "app.mail(jsonb)";
  type.owner_exists = false;
  queue.unusable = {type};
  EXPECT_EQ(severity("queue_types"), "critical");
  expect_text("queue_types", "job type it's belongs to the role anna, which does not exist",
              "metrics_refresh.alter_job_type('it''s', owner => ...)");
  type.owner_exists = true;
  type.login_reason = "role \"anna\" is not permitted to log in";
  queue.unusable = {type};
  expect_text("queue_types", "jobs of job type it's cannot run: role \"anna\"", "log in");
  type.login_reason = "";
  type.has_handler = false;
  queue.unusable = {type};
  expect_text("queue_types", "the handler app.mail(jsonb) of job type it's does not exist",
              "handler => ...");
  type.has_handler = true;
  queue.unusable = {type};
  expect_text("queue_types",
              "anna, the owner of job type it's, may not execute its handler app.mail(jsonb)",
              "Grant EXECUTE");
}

TEST_F(QueueHealth, ASecondEndIsAFault) {
  queue.double_ends = 2;
  EXPECT_EQ(severity("queue_double"), "critical");
  expect_text("queue_double", "a second time: 2.", "Report it");
}

TEST_F(QueueHealth, TransactionIdsLastForThreeDays) {
  queue.counted_since = now - hours{48};
  queue.transactions = 200'000'000;  // 100 million a day
  queue.transactions_left = 300'000'000;
  EXPECT_EQ(severity("queue_transactions"), "ok");
  queue.transactions_left = 299'000'000;
  EXPECT_EQ(severity("queue_transactions"), "warning");
  expect_text("queue_transactions",
              "about 100 million transaction IDs a day, and 299 million are left", "grouped");
}

TEST_F(QueueHealth, ABurstAfterAStartIsTakenOverAnHour) {
  queue.counted_since = now - seconds{10};
  queue.transactions = 1'000'000;  // 24 million a day
  queue.transactions_left = 72'000'000;
  EXPECT_EQ(severity("queue_transactions"), "ok");
  queue.transactions_left = 71'000'000;
  EXPECT_EQ(severity("queue_transactions"), "warning");
}

}  // namespace
}  // namespace metrics_refresh::core::test
