#include "store/queue/lost_attempt.hpp"

#include "pg/random.hpp"
#include "pg/time.hpp"
#include "store/failures.hpp"
#include "store/queue/after_start.hpp"
#include "store/queue/ended.hpp"

namespace metrics_refresh::store::queue {
namespace {

void log(pg::Spi& spi, const LostAttempt& attempt, TimestampTz now) {
  Failure failure;
  failure.name = attempt.type != nullptr ? attempt.type->name : "";
  failure.job_id = attempt.job.id;
  failure.attempt = attempt.job.attempts + 1;
  failure.status = attempt.status;
  failure.error = attempt.error;
  if (attempt.started_at)
    failure.duration_ms = static_cast<double>(now - *attempt.started_at) / 1000;
  if (attempt.type != nullptr) failure.owner = attempt.type->owner_oid;
  log_failure(spi, failure);
}

// A job that fails at once each time would otherwise write rows of the log as fast as it starts.
// The first attempt after a failure may follow at once.
constexpr std::int64_t kLeastDelay = USECS_PER_SEC;

core::Duration delay_of(const LostAttempt& attempt) {
  core::RetryPolicy policy;
  policy.delay = attempt.type->backoff;
  policy.max_delay = attempt.type->max_backoff;
  return core::backoff(policy, attempt.job.attempts + 1, pg::random_number());
}

TimestampTz next_attempt_at(const LostAttempt& attempt, TimestampTz now) {
  if (attempt.next_at == kSuspectRunAt) return kSuspectRunAt;  // which is no time
  const TimestampTz at = attempt.next_at ? *attempt.next_at : now + delay_of(attempt).count();
  return attempt.job.attempts == 0 ? at : std::max<TimestampTz>(at, now + kLeastDelay);
}

}  // namespace

AttemptEnd end_lost_attempt(pg::Spi& spi, const LostAttempt& attempt) {
  const TimestampTz now = GetCurrentTimestamp();
  log(spi, attempt, now);
  Job job = attempt.job;
  const int most = job.max_attempts          ? *job.max_attempts
                   : attempt.type != nullptr ? attempt.type->max_attempts
                                             : 0;
  ++job.attempts;
  job.flags = static_cast<std::int16_t>(job.flags | kHasFailed);
  job.last_error = make_text(attempt.error.message);
  AttemptEnd end;
  end.is_dead = attempt.is_last || attempt.type == nullptr || job.attempts >= most;
  if (end.is_dead) {
    Stop how;
    how.finished_at = now;
    how.started_at = attempt.started_at;
    how.reason = job.last_error;
    stop(job, how);
  } else {
    end.next_at = next_attempt_at(attempt, now);
    job.run_at = end.next_at;
    park(job);
  }
  return end;
}

}  // namespace metrics_refresh::store::queue
