#include "core/health/queue_health.hpp"

#include <algorithm>

#include "core/text.hpp"

namespace metrics_refresh::core {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

// A worker starts within this time, and the jobs of the tables are read in less.
constexpr Duration kStart = seconds(30);
// Workers that are busy with other jobs should have come to a ready one after this time.
constexpr Duration kLate = minutes(1);
// Workers outside the server may come seldom, for example from a schedule.
constexpr Duration kLateOutside = minutes(10);
// The rate of transactions is taken over this time at least, so that a short burst is none.
constexpr Duration kLeastPeriod = hours(1);
constexpr int kLeastDays = 3;

std::string counted(std::int64_t count, const char* one, const char* many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

// The types that have waited for at least `limit`: the one that waits longest, and how many others.
struct Late {
  const QueueFacts::Waiting* type = nullptr;
  int others = 0;
};

Late late_types(const QueueFacts& queue, Instant now, bool is_external, Duration limit) {
  Late late;
  for (const QueueFacts::Waiting& each : queue.waiting) {
    if (each.is_external != is_external || now - each.since < limit) continue;
    if (late.type != nullptr) ++late.others;
    if (late.type == nullptr || each.since < late.type->since) late.type = &each;
  }
  return late;
}

std::string describe(const Late& late, Instant now) {
  std::string text = "ready jobs of the type " + late.type->type + " have waited for " +
                     span(now - late.type->since);
  if (late.others > 0)
    text += ", and " + counted(late.others, "other type", "other types") + " too";
  return text;
}

void check_ready(std::vector<Finding>& findings, Instant now, const QueueFacts& queue,
                 bool is_served) {
  Check check(findings, "queue_late", "no ready job has waited for long");
  if (!is_served) return check.close();
  const bool is_stopped = !queue.is_open || queue.workers == 0;
  if (const Late late = late_types(queue, now, false, is_stopped ? kStart : kLate); late.type) {
    if (!queue.is_open)
      check.add(Severity::kCritical,
                describe(late, now) + " because the queue has not been read since the start",
                "See the server log; is max_worker_processes large enough for the scheduler?");
    else if (queue.workers == 0)
      check.add(Severity::kCritical, describe(late, now) + ", and no worker serves the queue",
                "See the server log. Is metrics_refresh.queue_workers above 0, and "
                "max_worker_processes large enough?");
    else
      check.add(Severity::kWarning, describe(late, now),
                "Raise metrics_refresh.queue_workers, or make the handlers faster.");
  }
  if (const Late late = late_types(queue, now, true, kLateOutside); late.type)
    check.add(Severity::kWarning, describe(late, now) + " for a worker outside the server",
              "Are the workers running that claim jobs of this type?");
  check.close();
}

std::string describe(const QueueFacts::Blocker& blocker, Instant now) {
  std::string text = blocker.pid == 0
                         ? std::string("a prepared transaction")
                         : "the transaction of the process " + std::to_string(blocker.pid);
  text += " keeps one from being emptied";
  if (blocker.since) text += ", for " + span(now - *blocker.since);
  return text;
}

// The queue goes on without a free segment, but its storage grows.
void check_storage(std::vector<Finding>& findings, Instant now, const QueueFacts& queue) {
  Check check(findings, "queue_storage", "the storage of jobs can be used again");
  if (!queue.has_free_segment) {
    const char* const observed = "no segment of the queue is free, so that its storage grows";
    if (!queue.blocker)
      check.add(Severity::kWarning, observed,
                "Segments become free when their jobs have ended. Is a job type paused, or are "
                "there too few workers?");
    else
      check.add(Severity::kWarning, std::string(observed) + ": " + describe(*queue.blocker, now),
                queue.blocker->pid == 0
                    ? "Commit it or roll it back. pg_prepared_xacts has its name."
                    : "End the transaction, for example with pg_terminate_backend(" +
                          std::to_string(queue.blocker->pid) + ").");
  }
  check.close();
}

void check_crashes(std::vector<Finding>& findings, const QueueFacts& queue) {
  Check check(findings, "queue_crash", "no job is dead because the server crashed while it ran");
  for (const QueueFacts::Crashed& crashed : queue.crashed)
    check.add(Severity::kCritical,
              counted(crashed.jobs, "job", "jobs") + " of the type " + crashed.type +
                  (crashed.jobs == 1 ? " is dead" : " are dead") +
                  " because the server crashed, the first of them " +
                  std::to_string(crashed.first_job),
              "Correct the handler; the server log says why it crashed. Then call "
              "metrics_refresh.retry_job(" +
                  std::to_string(crashed.first_job) + "), or delete the job from background_jobs.");
  check.close();
}

void check_types(std::vector<Finding>& findings, const QueueFacts& queue) {
  Check check(findings, "queue_types", "every job type has an owner and a handler");
  for (const QueueFacts::Unusable& type : queue.unusable) {
    const std::string call = "metrics_refresh.alter_job_type(" + literal(type.type);
    const std::string subject = "job type " + type.type;
    if (!type.owner_exists)
      check.add(Severity::kCritical,
                subject + " belongs to the role " + type.owner + ", which does not exist",
                "A super admin can give it to another role: " + call + ", owner => ...).");
    else if (!type.login_reason.empty())
      check.add(Severity::kCritical, "jobs of " + subject + " cannot run: " + type.login_reason,
                "Workers connect as the owner: let the role log in, or give the type to another "
                "with " +
                    call + ", owner => ...).");
    else if (!type.has_handler)
      check.add(
          Severity::kCritical, "the handler " + type.handler + " of " + subject + " does not exist",
          "Create it again, or give the type another one with " + call + ", handler => ...).");
    else
      check.add(Severity::kCritical,
                type.owner + ", the owner of " + subject + ", may not execute its handler " +
                    type.handler,
                "Grant EXECUTE on it to the owner, or give the type another one with " + call +
                    ", handler => ...).");
  }
  check.close();
}

void check_ends(std::vector<Finding>& findings, const QueueFacts& queue) {
  Check check(findings, "queue_double", "no job was about to end twice");
  if (queue.double_ends > 0)
    check.add(
        Severity::kCritical,
        "since the start of the server, jobs were about to end a second time: " +
            std::to_string(queue.double_ends) +
            ". The second attempt was rolled back with its effects",
        "This is a fault of metrics_refresh. Report it with the rows of edge_function_logs and "
        "the lines of the server log that name the table queue_ended.");
  check.close();
}

// Each attempt in a transaction of its own uses a transaction ID. Rows must be frozen before the
// IDs wrap around, which autovacuum does in time if it is fast enough.
void check_transactions(std::vector<Finding>& findings, Instant now, const QueueFacts& queue) {
  Check check(findings, "queue_transactions", "jobs use few transaction IDs");
  if (queue.counted_since && queue.transactions > 0) {
    const Duration period = std::max<Duration>(now - *queue.counted_since, kLeastPeriod);
    const double days = std::chrono::duration<double>(period).count() / 86'400;
    const double per_day = static_cast<double>(queue.transactions) / days;
    if (static_cast<double>(queue.transactions_left) < kLeastDays * per_day)
      check.add(Severity::kWarning,
                "jobs use about " + std::to_string(static_cast<std::int64_t>(per_day / 1'000'000)) +
                    " million transaction IDs a day, and " +
                    std::to_string(queue.transactions_left / 1'000'000) +
                    " million are left before rows must be frozen",
                "Use the mode grouped for short jobs, and make sure that autovacuum is fast "
                "enough: autovacuum_vacuum_cost_limit, autovacuum_freeze_max_age.");
  }
  check.close();
}

}  // namespace

void check_queue(std::vector<Finding>& findings, Instant now, const QueueFacts& queue,
                 bool is_served) {
  check_ready(findings, now, queue, is_served);
  check_storage(findings, now, queue);
  check_crashes(findings, queue);
  check_types(findings, queue);
  check_ends(findings, queue);
  check_transactions(findings, now, queue);
}

}  // namespace metrics_refresh::core
