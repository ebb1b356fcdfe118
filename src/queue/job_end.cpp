#include "queue/job_end.hpp"

#include "extension/own_schema.hpp"
#include "store/queue/ended.hpp"
#include "store/queue/lost_attempt.hpp"
#include "store/queue/news.hpp"

namespace metrics_refresh::queue {

using shmem::queue::End;
using shmem::queue::Outcome;
using shmem::queue::Started;
using store::queue::Job;

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
  store::queue::LostAttempt attempt;
  attempt.job = job;
  attempt.type = &type.row;
  attempt.started_at = started.at;
  attempt.error = error;
  attempt.status = store::RunStatus::kError;
  store::queue::AttemptEnd next;
  extension::as_extension(
      [&attempt, &next](pg::Spi& spi) { next = store::queue::end_lost_attempt(spi, attempt); });
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
  how.reason = store::queue::make_text("the job was canceled while it ran");
  store::queue::stop(job, how);
  end.outcome = Outcome::kCanceled;
}

}  // namespace metrics_refresh::queue
