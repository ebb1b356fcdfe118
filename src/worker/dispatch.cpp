// Handles the ends of runs, including those of workers that died.
//
// The state of the slot and the log show how far a run came:
//   - The slot is kEnded: the worker has logged the outcome, or returns the run as not begun.
//   - It is kDead and `begin_is_reported` is not set: the log has no row. The scheduler logs the
//   run.
//   - It is kDead and `begin_is_reported` is set: the log has a `running` row. close_orphans()
//   completes it.
// close_orphans() also finds the rows of runs that were under way when the server crashed.
//
// Only this process assigns runs in its database. While it writes to the log, no slot can get
// another run.
#include "worker/dispatch.hpp"

#include <algorithm>

#include "extension/settings.hpp"
#include "pg/compat.hpp"
#include "pg/time.hpp"
#include "shmem/shmem.hpp"
#include "store/job_changes.hpp"
#include "store/one_time_jobs.hpp"
#include "worker/group_run.hpp"
#include "worker/own_tables.hpp"
#include "worker/run_session.hpp"
#include "worker/unbegun_run.hpp"

namespace metrics_refresh::worker {
namespace {

// The outcome of a run whose worker is gone. `end` is not kNone if the worker was terminated
// because of the run.
store::Outcome outcome_of(shmem::EndReason end) {
  const std::string grace = std::to_string(settings::cancel_grace().count() / 1000) + " ms";
  store::Outcome outcome;
  outcome.error = store::run_error(
      ERRCODE_QUERY_CANCELED, "",
      "Something in it keeps on when it is canceled: code that catches query_canceled, for one.",
      "It went on for longer than metrics_refresh.cancel_grace, " + grace + ".");
  switch (end) {
    case shmem::EndReason::kCanceled:
      outcome.status = store::RunStatus::kCanceled;
      outcome.error->message =
          "the run did not end when it was canceled, so its worker was terminated";
      return outcome;
    case shmem::EndReason::kMaxRuntime:
      outcome.status = store::RunStatus::kError;
      outcome.permanent = true;
      outcome.error->message =
          "the run did not end when it exceeded its max_runtime, so its worker was terminated";
      return outcome;
    case shmem::EndReason::kYielded:
      outcome.status = store::RunStatus::kError;
      outcome.error->message =
          "the run did not end when it was to give its worker up for another role, so its worker "
          "was terminated";
      return outcome;
    case shmem::EndReason::kTransactionTimeout:
      outcome.status = store::RunStatus::kError;
      outcome.permanent = true;
      outcome.error = store::run_error(pg::kTransactionTimeout,
                                       "terminating connection due to transaction timeout",
                                       "SET transaction_timeout in the command changes it.");
      return outcome;
    case shmem::EndReason::kNone:
      break;
  }
  outcome.status = store::RunStatus::kInterrupted;
  outcome.error = store::run_reason("the worker ended before the run did",
                                    "See the server log for what ended it.");
  return outcome;
}

// The outcome of a run whose worker died before the first row of the run was committed.
store::Outcome outcome_of_unbegun(const shmem::WorkerSlot& slot) {
  store::Outcome outcome = outcome_of(slot.end);
  if (slot.end != shmem::EndReason::kNone) return outcome;
  if (slot.cancel_requested && !slot.yields) {
    outcome.status = store::RunStatus::kCanceled;
    outcome.error = store::run_error(ERRCODE_QUERY_CANCELED, "canceled before it began");
    return outcome;
  }
  if (slot.state != shmem::SlotState::kDead) {
    outcome.status = store::RunStatus::kError;
    outcome.permanent = true;
    outcome.error = store::run_error(ERRCODE_SYSTEM_ERROR,
                                     "the run cannot begin, nor can its session write the log",
                                     "The server log says why; it may be a setting of the role.");
    return outcome;
  }
  const bool started = slot.started_at != 0;
  outcome.status = started ? store::RunStatus::kInterrupted : store::RunStatus::kError;
  outcome.error = store::run_error(
      ERRCODE_CONNECTION_FAILURE,
      started ? "the worker ended before the run began" : "the worker could not start or connect",
      "The server log says why; a command's owner needs the right to connect to the database.");
  return outcome;
}

// Compares two runs of the same job or member. A run without a request has no number yet, so it is
// identified by its due time.
bool is_same_run(const shmem::Assignment& a, const shmem::Assignment& b) {
  if (a.run_id != b.run_id || a.group_run_id != b.group_run_id || a.attempt != b.attempt)
    return false;
  return a.run_id != 0 || a.group_run_id != 0 || a.due == b.due;
}

std::optional<int> member_of(const shmem::Assignment& run) {
  if (run.member == shmem::kNoMember) return std::nullopt;
  return run.member;
}

}  // namespace

void Dispatch::adopt(const std::vector<shmem::SlotView>& under_way,
                     std::vector<core::Event>& events) {
  for (const shmem::SlotView& view : under_way) record_terminated(view.slot);
  close_orphans();
  for (const shmem::SlotView& view : under_way)
    events.push_back(core::RunAdopted{view.slot.run.job_id, member_of(view.slot.run),
                                      pg::to_instant(view.slot.run.handled_until)});
}

bool Dispatch::hand_over(const core::Start& start) {
  const store::PlannedJob* const job = jobs_.find(start.job);
  if (job == nullptr) return false;
  const store::Member* const member =
      start.member ? jobs_.find_member(start.job, *start.member) : nullptr;
  shmem::Assignment run = {};
  run.job_id = start.job;
  run.owner = job->owner_oid;
  run.member = start.member.value_or(shmem::kNoMember);
  if (start.member)
    run.group_run_id = start.run.value_or(0);
  else
    run.run_id = start.run.value_or(0);
  run.attempt = start.attempt;
  run.trigger = start.run && !start.member ? shmem::Trigger::kManual : shmem::Trigger::kSchedule;
  // The scheduler runs ahead of the clock by kHandOver. A request and a member of a group are due
  // at once, so they must not wait for that time.
  run.due = pg::to_timestamptz(start.run ? std::min(start.due, pg::now()) : start.due);
  run.handled_until = pg::to_timestamptz(start.handled_until);
  const auto to_count = to_count_.find(start.job);
  if (to_count != to_count_.end()) run.missed = to_count->second;
  if (const Tries* const tries = find_tries(run)) {
    run.tries = tries->count;
    run.canceled = tries->canceled;
  }
  const shmem::Claim claim = shmem::claim_slot(MyDatabaseId, session_for(*job, member), run);
  if (claim.index < 0 || (claim.start && !start_worker(claim))) return false;
  if (to_count != to_count_.end()) to_count_.erase(to_count);
  return true;
}

void Dispatch::count(const core::Missed& missed) {
  if (!shmem::count_missed(MyDatabaseId, missed.job, pg::to_timestamptz(missed.due)))
    ++to_count_[missed.job];
  if (to_count_.size() <= jobs_.job_count()) return;
  for (auto it = to_count_.begin(); it != to_count_.end();)  // removes those of removed jobs
    it = jobs_.find(it->first) == nullptr ? to_count_.erase(it) : std::next(it);
}

bool Dispatch::make_ready(const std::vector<core::JobId>& jobs) {
  std::map<shmem::Session, int> wanted;
  for (const core::JobId id : jobs) {
    const store::PlannedJob* const job = jobs_.find(id);
    if (job == nullptr) continue;
    int& count = wanted[session_for(*job, nullptr)];
    if (!job->rights.limited || count < settings::role_workers()) ++count;
  }
  for (const auto& [session, count] : wanted)
    for (;;) {
      const shmem::Claim claim = shmem::claim_spare(MyDatabaseId, session, count);
      if (claim.index < 0 || !start_worker(claim)) break;
    }
  return shmem::make_room(MyDatabaseId, wanted);
}

bool Dispatch::start_worker(const shmem::Claim& claim) {
  BackgroundWorkerHandle* const handle =
      start_process({"mr_worker_main", "metrics_refresh worker", "metrics_refresh worker",
                     Int32GetDatum(claim.index), claim.generation});
  if (handle == nullptr) return !shmem::release_claim(claim.index, claim.generation);
  if (starting_.empty()) remind_at_ = pg::now() + kTryAgain;
  starting_[claim.index] = {handle, claim.generation};
  return true;
}

void Dispatch::collect(std::vector<core::Event>& events) {
  check_starting_workers();
  for (const shmem::SlotView& view : shmem::collect_finished(MyDatabaseId)) {
    const shmem::WorkerSlot& slot = view.slot;
    if (slot.run.kind == shmem::TaskKind::kQueueService) {
      ended_services_.push_back(slot);
      continue;
    }
    const core::JobId job = slot.run.job_id;
    const std::optional<int> member = member_of(slot.run);
    if (slot.state == shmem::SlotState::kDead) {
      record_terminated(slot);
      orphans_ = true;
      try_again_at_ = pg::now();
      jobs_.expect_requests();
      jobs_.expect_groups();  // the worker may have committed the plan of a group before it died
      if (slot.begin_is_reported)
        events.push_back(core::RunEnded{job, member, false});
      else if (!end_unbegun(slot, events))
        continue;
    } else if (slot.result == shmem::RunResult::kHopeless) {
      if (!end_unbegun(slot, events)) continue;
    } else if (slot.result == shmem::RunResult::kNotBegun) {
      try_again(slot, Again::kSoon);
      continue;
    } else if (slot.result == shmem::RunResult::kOutdated) {
      try_again(slot, Again::kAtOnce);
      continue;
    } else if (slot.result == shmem::RunResult::kOpened) {
      jobs_.expect_groups();
    } else {
      events.push_back(core::RunEnded{job, member, slot.result == shmem::RunResult::kSuccess});
    }
    tries_.erase({job, slot.run.member});
  }
  const core::Instant now = pg::now();
  for (auto it = unbegun_.begin(); it != unbegun_.end();) {
    if (!is_time(it->again_at, now, kLongestDelay)) {
      ++it;
      continue;
    }
    jobs_.expect_requests();
    events.push_back(core::StartRefused{it->job, it->member, true});
    events.push_back(core::WorkerFreed{});  // so that the scheduler starts the run now
    it = unbegun_.erase(it);
  }
  if (orphans_ && is_time(try_again_at_, now)) close_orphans();
}

void Dispatch::record_terminated(const shmem::WorkerSlot& slot) {
  if (slot.state == shmem::SlotState::kDead && slot.begin_is_reported &&
      slot.end != shmem::EndReason::kNone)
    terminated_[slot.run.run_id] = slot.end;
}

// Logs the failure of a run that its worker could not log. If the scheduler cannot log it either,
// the run is tried again.
bool Dispatch::end_unbegun(const shmem::WorkerSlot& slot, std::vector<core::Event>& events) {
  const Attempt logged = log_unbegun(kSchedulerLockTimeout, slot.run, outcome_of_unbegun(slot));
  if (logged == Attempt::kDone)
    events.push_back(core::RunEnded{slot.run.job_id, member_of(slot.run), false});
  else
    try_again(slot, logged == Attempt::kFailed ? Again::kEverLater : Again::kSoon);
  return logged == Attempt::kDone;
}

// Due times that were missed during the failed try are counted for the next try.
void Dispatch::try_again(const shmem::WorkerSlot& slot, Again when) {
  const shmem::Assignment& run = slot.run;
  Tries& tries = tries_[{run.job_id, run.member}];
  if (!is_same_run(tries.run, run)) {
    tries = {};
    tries.run = run;
  }
  if (when != Again::kAtOnce) ++tries.count;
  if (slot.cancel_requested && !slot.yields) tries.canceled = run.run_id != 0;
  core::Instant at = pg::now();
  if (when == Again::kSoon) at += kTryAgain;
  if (when == Again::kEverLater) at = tries.backoff.next(at);
  unbegun_.push_back({run.job_id, member_of(run), at});
  if (slot.missed > 0) to_count_[run.job_id] += slot.missed;
  forget_old_tries();
}

const Dispatch::Tries* Dispatch::find_tries(const shmem::Assignment& run) const {
  const auto found = tries_.find({run.job_id, run.member});
  if (found == tries_.end() || !is_same_run(found->second.run, run)) return nullptr;
  return &found->second;
}

// Removes the tries of runs that no longer exist, because their job or request was removed.
void Dispatch::forget_old_tries() {
  if (tries_.size() <= many_tries_) return;
  for (auto it = tries_.begin(); it != tries_.end();) {
    const auto& [job, member] = it->first;
    const bool lives = member == shmem::kNoMember ? jobs_.find(job) != nullptr
                                                  : jobs_.find_member(job, member) != nullptr;
    it = lives ? std::next(it) : tries_.erase(it);
  }
  many_tries_ = std::max(many_tries_, 2 * tries_.size());
}

std::optional<core::Instant> Dispatch::try_again_at() const {
  std::optional<core::Instant> at;
  if (orphans_) at = try_again_at_;
  if (!starting_.empty() && (!at || remind_at_ < *at)) at = remind_at_;
  for (const Unbegun& run : unbegun_)
    if (!at || run.again_at < *at) at = run.again_at;
  return at;
}

// Releases the slots of processes that the server could not start, or that could not connect.
void Dispatch::check_starting_workers() {
  for (auto it = starting_.begin(); it != starting_.end();) {
    BackgroundWorkerHandle* const handle = it->second.handle;
    pid_t pid;
    const BgwHandleStatus status =
        pg::call([handle, &pid] { return GetBackgroundWorkerPid(handle, &pid); });
    // A process that was started may still die before it attaches to its slot.
    if (status == BGWH_NOT_YET_STARTED ||
        (status == BGWH_STARTED && !shmem::has_arrived(it->first, it->second.generation))) {
      ++it;
      continue;
    }
    if (status == BGWH_STOPPED) shmem::mark_never_started(it->first, it->second.generation);
    pg::call([handle] { pfree(handle); });
    it = starting_.erase(it);
  }
  const core::Instant now = pg::now();
  if (starting_.empty() || !is_time(remind_at_, now)) return;
  remind_postmaster();
  remind_at_ = now + kTryAgain;
}

// Closes the log rows of runs without a worker, after a crash or the end of a worker.
void Dispatch::close_orphans() {
  // The slots are read before the snapshot is taken. No other run can begin in between, because
  // only this process assigns runs. If a run is beginning, its number is not known yet. Then all
  // rows of its job are left for a later call.
  std::vector<std::int64_t> live_runs;
  std::vector<std::int64_t> beginning_jobs;
  for (const shmem::SlotView& view : shmem::busy_slots(MyDatabaseId)) {
    const shmem::Assignment& run = view.slot.run;
    if (run.run_id != 0)
      live_runs.push_back(run.run_id);
    else
      beginning_jobs.push_back(run.job_id);
  }
  std::size_t closed = 0;
  const bool done = try_with_own_tables("interrupted runs cannot be closed now", [&](pg::Spi& spi) {
    const std::vector<store::Orphan> orphans = store::take_orphans(spi, live_runs, beginning_jobs);
    closed = orphans.size();
    for (const store::Orphan& orphan : orphans) {
      const auto found = terminated_.find(orphan.run_id);
      const store::Outcome outcome =
          outcome_of(found != terminated_.end() ? found->second : shmem::EndReason::kNone);
      if (store::close_orphan(spi, orphan, outcome, settings::suspend_after()))
        store::note_changed(orphan.job_id);
      if (const auto member = store::find_member_of_run(spi, orphan.run_id))
        finish_member(spi, *member, state_of_member(outcome.status));
      else
        store::remove_one_time_job(spi, orphan.job_id);
    }
  });
  if (done && beginning_jobs.empty()) terminated_.clear();
  orphans_ = !done || !beginning_jobs.empty();
  try_again_at_ = pg::now() + kTryAgain;
  if (closed > 0) shmem::announce_run_end();
}

}  // namespace metrics_refresh::worker
