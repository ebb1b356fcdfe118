#include "core/queue/crash_policy.hpp"

#include "queue/upkeep/suspects.hpp"

#include <vector>

#include "extension/settings.hpp"
#include "pg/time.hpp"
#include "queue/upkeep/changes.hpp"
#include "shmem/queue/scheduler_news.hpp"
#include "store/queue/after_start.hpp"
#include "store/queue/find.hpp"
#include "store/queue/hot.hpp"
#include "store/queue/later.hpp"
#include "store/queue/lost_attempt.hpp"
#include "store/queue/news.hpp"
#include "store/queue/numbers.hpp"
#include "store/queue/stopped.hpp"

namespace metrics_refresh::queue {
namespace {

// A suspect keeps other jobs from starting for no longer than this, while it runs and before.
constexpr core::Duration kAlone = std::chrono::seconds{10};
// While a session changes the job.
constexpr core::Duration kPause = std::chrono::milliseconds{100};

using core::queue::AfterCrash;

store::RunError error_of(const AfterCrash& after) {
  const char* const hint = "The server log says why it crashed.";
  switch (after.next) {
    case AfterCrash::Next::kCrasher:
      return store::run_error(ERRCODE_CRASH_SHUTDOWN,
                              std::string(store::queue::kCrashReason) + " alone, " +
                                  std::to_string(after.crashes) + " times",
                              hint);
    case AfterCrash::Next::kTooManyTries:
    case AfterCrash::Next::kRunAlone:
      break;
  }
  return store::run_error(ERRCODE_CRASH_SHUTDOWN, store::queue::kCrashReason, hint);
}

// The rows of those jobs that have not ended.
std::vector<Job> running_jobs(pg::Spi& spi, const std::vector<shmem::queue::CrashedJob>& crashed) {
  std::vector<Job> jobs;
  for (const shmem::queue::CrashedJob& job : crashed) {
    const store::queue::FoundJob found =
        store::queue::find_job(spi, job.job, GetActiveSnapshot(), false);
    if (found.where == store::queue::Where::kHot && found.job.version == job.version)
      jobs.push_back(found.job);
  }
  return jobs;
}

void record_job(pg::Spi& spi, const Job& job, bool alone, const JobType* type) {
  core::queue::CrashedJob crashed;
  crashed.attempts = job.attempts + 1;
  crashed.crashes = job.crashes;
  crashed.alone = alone;
  if (job.max_attempts)
    crashed.max_attempts = *job.max_attempts;
  else if (type != nullptr)
    crashed.max_attempts = type->max_attempts;
  const AfterCrash after = core::queue::after_crash(crashed, settings::queue_crash_limit());
  store::queue::LostAttempt attempt;
  attempt.job = job;
  attempt.job.crashes = static_cast<std::int16_t>(after.crashes);
  attempt.job.flags = static_cast<std::int16_t>(job.flags | store::queue::kIsSuspect);
  attempt.type = type;
  attempt.error = error_of(after);
  attempt.is_last = after.is_dead();
  attempt.next_at = store::queue::kSuspectRunAt;
  const store::queue::AttemptEnd end = store::queue::end_lost_attempt(spi, attempt);
  store::queue::note_marks(job.segment, 1);
  if (end.is_dead) note_dead(store::queue::unended_of(job));
}

// A job that cannot be started now is left to the mover, which makes it an ordinary one, or dead.
bool may_start(const store::queue::FoundJob& found, const Types& types) {
  if (found.where != store::queue::Where::kLater) return false;
  const JobType* const type = types.find(found.job.type);
  return type != nullptr && !type->paused && OidIsValid(type->owner_oid);
}

}  // namespace

bool Suspects::read(const Types& types) {
  const shmem::queue::CrashedJobs crash = shmem::queue::crashed_jobs();
  if (!crash.jobs.empty()) {
    if (!record(crash, types)) return false;
    shmem::queue::forget_crashed_jobs();
  }
  std::vector<JobNumber> suspects;
  if (!store::try_with_own_tables(
          "jobs that ran when the server crashed cannot be read now",
          [&suspects](pg::Spi& spi) { suspects = store::queue::read_suspects(spi); }))
    return false;
  waiting_.clear();
  for (const JobNumber suspect : suspects) waiting_.push_back({suspect, std::nullopt});
  runs_ = false;
  due_.at_once();
  return true;
}

bool Suspects::record(const shmem::queue::CrashedJobs& crash, const Types& types) {
  return try_change("a crash of the server cannot be written down now", [&](pg::Spi& spi) {
    const std::vector<Job> jobs = running_jobs(spi, crash.jobs);
    const bool alone = jobs.size() == 1 && crash.others == 0;
    for (const Job& job : jobs) record_job(spi, job, alone, types.find(job.type));
  });
}

void Suspects::work(core::Instant now, const Types& types) {
  if (!due_.take(now)) return;
  const bool goes_on = runs_ && shmem::queue::single_state() != shmem::queue::SingleState::kNone;
  if (goes_on && !store::is_time(until_, now, kAlone)) return due_.no_later_than(until_);
  runs_ = false;
  if (waiting_.empty()) return;
  const Suspect next = waiting_.front();
  waiting_.pop_front();
  switch (start(next.job, types)) {
    case Start::kRuns:
      runs_ = true;
      until_ = now + kAlone;
      return due_.no_later_than(until_);
    case Start::kNotNow:
      return try_again(next, now);
    case Start::kNever:
      return due_.at_once();
  }
}

// A session may have locked the row in a transaction that stays open. The mover starts such a job
// at last, as an ordinary one, so that others need not wait for that role.
void Suspects::try_again(Suspect suspect, core::Instant now) {
  if (!suspect.until) suspect.until = now + kAlone;
  if (!store::is_time(*suspect.until, now, kAlone)) waiting_.push_back(suspect);
  if (waiting_.empty() || !waiting_.front().until) return due_.at_once();
  due_.no_later_than(now + kPause);
}

Suspects::Start Suspects::start(JobNumber number, const Types& types) {
  std::optional<Job> job;
  bool is_locked = false;
  const bool moved = try_change("a job cannot be started again now", [&](pg::Spi& spi) {
    if (!may_start(store::queue::find_job(spi, number, GetActiveSnapshot(), false), types)) return;
    job = store::queue::take_later(spi, number);
    is_locked = !job;
    if (is_locked) return;
    job->run_at.reset();
    job->version = store::queue::next_version(job->version);
    store::queue::append_and_note(&*job, 1);
  });
  if (!moved || is_locked) return Start::kNotNow;
  const bool runs = job && shmem::queue::start_singly(claimable(store::queue::unended_of(*job)));
  return runs ? Start::kRuns : Start::kNever;
}

}  // namespace metrics_refresh::queue
