#include "core/queue/ready_work.hpp"

#include "queue/job_end.hpp"

#include "extension/own_schema.hpp"
#include "queue/upkeep/lost_attempt.hpp"
#include "store/queue/ended.hpp"
#include "store/queue/news.hpp"
#include "store/queue/periods.hpp"

namespace metrics_refresh::queue {

using shmem::queue::End;
using shmem::queue::Outcome;
using shmem::queue::Started;
using store::queue::Job;

// The scheduler turns the history, and tells the period that is current.
std::uint8_t current_period() {
  const int known = shmem::queue::current_period();
  if (known >= 0) return static_cast<std::uint8_t>(known);
  int current = 0;
  extension::as_extension([&current](pg::Spi& spi) {
    for (const store::queue::Period& period : store::queue::read_periods(spi))
      if (period.state == store::queue::Period::State::kCurrent) current = period.number;
  });
  return static_cast<std::uint8_t>(shmem::queue::offer_current_period(current));
}

void fill_end(const Job& job, core::Duration took, End& end) {
  end.batch = job.batch.value_or(0);
  end.had_failed = end.has_failed = job.has(store::queue::kHasFailed);
  end.took = took;
}

void write_snooze(Job job, core::Duration delay) {
  job.run_at = GetCurrentTimestamp() + delay.count();
  store::queue::park(job);
  store::queue::note_later(*job.run_at);
}

void write_failure(const Job& job, const Started& started, const HandledType& type,
                   const store::RunError& error, End& end) {
  LostAttempt attempt;
  attempt.job = job;
  attempt.type = &type.row;
  attempt.started_at = started.at;
  attempt.error = error;
  attempt.status = store::RunStatus::kError;
  AttemptEnd next;
  extension::as_extension(
      [&attempt, &next](pg::Spi& spi) { next = end_lost_attempt(spi, attempt); });
  end.attempt_failed = end.has_failed = true;
  end.outcome = next.is_dead ? Outcome::kDead : Outcome::kParked;
  if (!next.is_dead) store::queue::note_later(next.next_at);
}

void write_cancel(Job job, const Started& started, End& end) {
  ++job.attempts;
  store::queue::Stop how;
  how.status = store::queue::StopStatus::kCanceled;
  how.started_at = started.at;
  how.finished_at = GetCurrentTimestamp();
  how.reason = pg::call([] { return cstring_to_text("the job was canceled while it ran"); });
  store::queue::stop(job, how);
  end.outcome = Outcome::kCanceled;
}

}  // namespace metrics_refresh::queue
