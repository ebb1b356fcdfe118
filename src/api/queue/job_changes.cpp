#include "api/queue/job_changes.hpp"

#include "api/queue/job_access.hpp"
#include "api/queue/job_in_use.hpp"
#include "extension/own_schema.hpp"
#include "extension/privilege.hpp"
#include "shmem/queue/outside_claims.hpp"
#include "store/queue/dependencies.hpp"
#include "store/queue/later.hpp"
#include "store/queue/news.hpp"
#include "store/queue/numbers.hpp"
#include "store/queue/steady_look.hpp"
#include "store/queue/stopped.hpp"

namespace metrics_refresh::api {
namespace {

using store::queue::FoundJob;
using store::queue::Job;
using store::queue::JobNumber;
using store::queue::Where;

enum class Right { kSee, kManage };

// A session that acts as the extension, for a caller.
struct Session {
  pg::Spi& spi;
  JobRights rights;
};

template <typename Body>
auto with_session(Body&& body) {
  const Oid caller = GetUserId();
  const bool is_super_admin = extension::is_super_admin();
  std::invoke_result_t<Body&, Session&> result{};
  extension::as_extension([&](pg::Spi& spi) {
    Session session{spi, JobRights(spi, caller, is_super_admin)};
    result = body(session);
  });
  return result;
}

FoundJob look(Session& session, JobNumber id, bool with_history) {
  FoundJob found;
  store::queue::look_steadily([&](Snapshot snapshot) {
    found = store::queue::find_job(session.spi, id, snapshot, with_history);
  });
  return found;
}

// The job, which the caller may see. Its type and the role that has enqueued it never change.
FoundJob visible_job(Session& session, JobNumber id, Right right) {
  FoundJob found = look(session, id, true);
  if (found.where == Where::kNowhere || !session.rights.may_see(found.job))
    refuse_missing_job_number(id);
  if (right == Right::kManage && !session.rights.may_manage(found.job.type))
    throw pg::SqlError(ERRCODE_INSUFFICIENT_PRIVILEGE,
                       "permission denied for job " + std::to_string(id),
                       "The owner of its type and super admins may do this.");
  return found;
}

bool is_open(const FoundJob& found) {
  return found.where == Where::kHot || found.where == Where::kLater;
}

enum class Holder { kUs, kWorker, kOutside };

// Nothing: another session holds it, or the scheduler for a moment.
std::optional<Holder> hold(JobNumber id) {
  using Result = shmem::queue::HoldResult::Result;
  if (store::queue::holds(id) || store::queue::uses_outside(id)) return Holder::kUs;
  switch (store::queue::hold_job(id, GetOuterUserId()).result) {
    case Result::kHeld:
      return Holder::kUs;
    case Result::kRunning:
      return Holder::kWorker;
    case Result::kOutside:
      return Holder::kOutside;
    case Result::kNoShare:
      refuse_share_of_holds();
    case Result::kNoRoom:
      refuse_full_holds();
    case Result::kInUse:
      break;
  }
  return std::nullopt;
}

// A job that a worker outside the server has claimed: its token is worth nothing from now on.
// Returns false if the claim has just ended, or its worker or the scheduler is ending it.
bool take_outside(JobNumber id) {
  shmem::queue::OutsideClaim claim;
  store::queue::reserve_outside_uses(1);
  if (shmem::queue::use_outside(id, nullptr, store::queue::claims_outside(id), &claim) !=
      shmem::queue::UseResult::kOk)
    return false;
  store::queue::note_outside_use(id, store::queue::OutsideUse::kEnd);
  return true;
}

// The mover may pass over the row while it is locked. If this is rolled back, it has to look again.
std::optional<Job> take_waiting(Session& session, JobNumber id) {
  auto job = store::queue::take_later(session.spi, id);
  if (job) store::queue::note_later(job->run_at.value_or(GetCurrentTimestamp()));
  return job;
}

// Takes the job out of the table in which it waits. The row of queue_hot stays; the caller writes
// its end mark. Nothing if it has moved meanwhile.
std::optional<Job> take(Session& session, const FoundJob& found) {
  if (found.where == Where::kLater) return take_waiting(session, found.job.id);
  store::queue::set_held_job(found.job);
  return found.job;
}

// The row in queue_hot has ended, if there was one.
void note_mark(const Job& job) {
  if (job.segment != store::queue::kNoSegment) store::queue::note_marks(job.segment, 1);
}

std::int64_t failed(const Job& job) { return job.has(store::queue::kHasFailed) ? 1 : 0; }

void stop_as_canceled(Session& session, const Job& job) {
  store::queue::Stop how;
  how.status = store::queue::StopStatus::kCanceled;
  how.finished_at = GetCurrentTimestamp();
  store::queue::stop(job, how);
  note_mark(job);
  store::queue::note_counts(job.type, {-1, -failed(job), 0, 1}, {0, 0, 0, 1});
  store::queue::note_ended(job.id, job.batch.value_or(0));
  store::queue::remove_waiter(session.spi, job.id);
}

// Nothing: look again, because the job has moved or its holder has let it go.
std::optional<bool> try_to_cancel(Session& session, JobNumber id) {
  const std::optional<Holder> holder = hold(id);
  if (!holder) return std::nullopt;
  if (holder == Holder::kWorker) {
    if (shmem::queue::cancel_running(id) != 0) return true;
    if (shmem::queue::has_started(id))
      throw pg::SqlError(ERRCODE_OBJECT_IN_USE,
                         "job " + std::to_string(id) + " has run in this transaction",
                         "A job of a group cannot cancel an earlier one of its group.");
    return std::nullopt;
  }
  if (holder == Holder::kOutside && !take_outside(id)) return std::nullopt;
  const FoundJob found = look(session, id, false);
  if (!is_open(found)) return false;
  const std::optional<Job> job = take(session, found);
  if (!job) return std::nullopt;
  stop_as_canceled(session, *job);
  return true;
}

// Puts the job among the ready ones, as if no attempt had failed if `is_new`.
void make_ready(Job job, bool is_new) {
  job.version = store::queue::next_version(job.version);
  job.run_at.reset();
  job.flags =
      static_cast<std::int16_t>(job.flags & ~(store::queue::kHasFailed | store::queue::kIsSuspect));
  if (is_new) job.attempts = job.crashes = 0;
  job.segment = store::queue::kNoSegment;
  store::queue::append_and_note(&job, 1);
}

std::optional<bool> try_to_retry(Session& session, JobNumber id) {
  const FoundJob found = look(session, id, true);
  switch (found.where) {
    case Where::kHot:
      // It starts as soon as a worker is free.
      if (found.job.has(store::queue::kHasFailed)) return true;
      break;
    case Where::kLater:
      if (!found.job.has(store::queue::kHasFailed)) break;
      if (const auto job = take_waiting(session, id)) {
        store::queue::note_counts(job->type, {0, -failed(*job), 0, 0});
        make_ready(*job, false);
        return true;
      }
      return std::nullopt;
    case Where::kStopped:
      if (const auto stopped = store::queue::take_stopped(session.spi, id)) {
        restart_stopped(stopped->job, stopped->status);
        return true;
      }
      return std::nullopt;
    case Where::kHistory:
      return false;
    case Where::kNowhere:
      refuse_missing_job_number(id);
  }
  throw pg::SqlError(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                     "job " + std::to_string(id) + " has not failed",
                     "Failed, dead and canceled jobs can be started again.");
}

bool is_unchanged(const Job& job, const WaitingChange& change) {
  return (!change.run_at || job.run_at == change.run_at) &&
         (!change.priority || job.priority == *change.priority);
}

std::optional<bool> try_to_change(Session& session, JobNumber id, const WaitingChange& change) {
  const std::optional<Holder> holder = hold(id);
  if (!holder) return std::nullopt;
  if (holder != Holder::kUs)
    throw pg::SqlError(ERRCODE_OBJECT_IN_USE, "job " + std::to_string(id) + " is running",
                       "Cancel it, or wait until it has ended.");
  const FoundJob found = look(session, id, false);
  if (!is_open(found)) return false;
  if (is_unchanged(found.job, change)) return true;
  if (found.where == Where::kLater) {
    const auto before = store::queue::change_later(session.spi, id, change.run_at, change.priority);
    if (!before) return std::nullopt;
    store::queue::note_later(std::min(*before, change.run_at.value_or(*before)));
    return true;
  }
  Job job = found.job;
  store::queue::set_held_job(job);
  if (change.priority) job.priority = *change.priority;
  job.run_at = change.run_at.value_or(job.run_at.value_or(GetCurrentTimestamp()));
  store::queue::park(job);
  note_mark(job);
  store::queue::note_later(*job.run_at);
  return true;
}

}  // namespace

void begin_change(const char* function, const char* done) {
  pg::call([function] { PreventCommandIfReadOnly(function); });
  shmem::queue::require_queue();
  store::queue::forbid_prepare(done);
}

void restart_stopped(const Job& job, store::queue::StopStatus status) {
  const bool was_dead = status == store::queue::StopStatus::kDead;
  store::queue::note_counts(job.type, {1, 0, was_dead ? -1 : 0, was_dead ? 0 : -1});
  if (job.batch) store::queue::note_batch(*job.batch, 1);
  make_ready(job, true);
}

bool cancel_job(JobNumber id) {
  return with_session([id](Session& session) {
    if (!is_open(visible_job(session, id, Right::kSee))) return false;
    return until_free(id, [&] { return try_to_cancel(session, id); });
  });
}

bool retry_job(JobNumber id) {
  return with_session([id](Session& session) {
    (void)visible_job(session, id, Right::kManage);
    return until_free(id, [&] { return try_to_retry(session, id); });
  });
}

bool change_waiting_job(JobNumber id, const WaitingChange& change) {
  return with_session([&](Session& session) {
    if (!is_open(visible_job(session, id, Right::kManage))) return false;
    return until_free(id, [&] { return try_to_change(session, id, change); });
  });
}

bool remove_stopped_job(JobNumber id) {
  return with_session([id](Session& session) {
    (void)visible_job(session, id, Right::kManage);
    std::optional<store::queue::StoppedJob> stopped;
    const bool is_there = until_free(id, [&]() -> std::optional<bool> {
      stopped = store::queue::take_stopped(session.spi, id);
      if (stopped) return true;
      if (look(session, id, false).where != Where::kStopped) return false;
      return std::nullopt;
    });
    if (!is_there) return false;
    const bool was_dead = stopped->status == store::queue::StopStatus::kDead;
    store::queue::note_counts(stopped->job.type, {0, 0, was_dead ? -1 : 0, was_dead ? 0 : -1});
    return true;
  });
}

}  // namespace metrics_refresh::api
