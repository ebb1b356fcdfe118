// Each function takes the lock once, whatever it does under it.
#include "shmem/queue/work.hpp"

#include <algorithm>
#include <iterator>

#include "extension/settings.hpp"
#include "shmem/queue/steps.hpp"

namespace metrics_refresh::shmem::queue {
namespace {

bool leaves_at_exit = false;

WorkerEntry& self(Content& content) noexcept {
  return content.workers[static_cast<std::uint32_t>(own_worker)];
}

std::uint32_t self_index() noexcept { return static_cast<std::uint32_t>(own_worker); }

void stop_idling(Content& content, WorkerEntry& worker) noexcept {
  if (!std::exchange(worker.is_idle, false)) return;
  if (const std::uint32_t owner = find_owner(content, worker.owner); owner != kNone)
    --content.owners[owner].idle;
}

void set_job(WorkerEntry& worker, JobNumber job, TimestampTz now, bool canceled) noexcept {
  worker.job = job;
  worker.started_at = worker.canceled_at = now;
  worker.is_canceled = canceled;
  worker.progress = {};
}

LostWorker* find_lost_worker(Content& content, JobNumber job) noexcept {
  if (content.lost_worker_count == 0) return nullptr;
  for (LostWorker& lost : content.lost_workers)
    if (lost.job == job) return &lost;
  return nullptr;
}

bool is_single(Content& content, TypeId type, JobNumber job) noexcept {
  return (content.single.state == SingleState::kRuns && content.single.job.first == job) ||
         find_lost_worker(content, job) != nullptr || has_crashed_in_group(type);
}

Started started(Content& content, const core::queue::Item& item, TimestampTz now) noexcept {
  set_job(self(content), item.job, now, false);
  const core::queue::Bite& bite = content.ready().bite(self_index());
  const std::uint32_t type = find_type(content, bite.type);
  Started result;
  result.job = item.job;
  result.tid = item.tid;
  result.segment = item.segment;
  result.type = bite.type;
  result.at = now;
  if (type != kNone) result.mean = content.types[type].mean;
  result.is_last = bite.waiting == 0;
  result.is_single = is_single(content, bite.type, item.job);
  return result;
}

bool single_is_next(Content& content) noexcept {
  const core::queue::Bite& bite = content.ready().bite(self_index());
  const core::queue::Item* const item = bite.look_at_next();
  return item != nullptr && is_single(content, bite.type, item->job);
}

bool start(Content& content, TimestampTz now, Next& next) noexcept {
  const core::queue::Item* const item =
      content.ready().start_next(self_index(), pg::to_instant(now));
  if (item == nullptr) return false;
  next.step = NextStep::kRun;
  next.started = started(content, *item, now);
  return true;
}

bool claim_single(Content& content, TimestampTz now) noexcept {
  Single& single = content.single;
  ReadyWork& ready = content.ready();
  if (single.state != SingleState::kWaits ||
      ready.owner_of(single.job.type) != self(content).owner ||
      !ready.claim_one(single.job, self_index(), pg::to_instant(now)))
    return false;
  single.state = SingleState::kRuns;
  return true;
}

// If there is more to do, another worker does it, or steals from this one.
void wake_another(Content& content, Wakes& wakes) noexcept {
  const OwnerId owner = self(content).owner;
  const std::uint32_t index = find_owner(content, owner);
  if (index == kNone) return;
  const bool has_work = content.ready().has_work(owner);
  const bool can_be_stolen =
      content.ready().bite(self_index()).waiting > 0 && content.owners[index].idle > 0;
  if (has_work || can_be_stolen) offer_work(content, owner, 1, wakes);
}

// The rate limit may forbid the start of a job that was claimed. Then other types may have work.
constexpr int kTries = 4;

NextStep claim(Content& content, TimestampTz now, Next& next, Wakes& wakes) noexcept {
  ReadyWork& ready = content.ready();
  for (int i = 0; i < kTries; ++i) {
    switch (ready.claim(self(content).owner, self_index(), pg::to_instant(now))) {
      case ReadyWork::Claimed::kJobs:
        if (!start(content, now, next)) continue;
        wake_another(content, wakes);
        return NextStep::kRun;
      case ReadyWork::Claimed::kRead:
        next.reading = ready.reading(self_index());
        wake_another(content, wakes);
        return NextStep::kRead;
      case ReadyWork::Claimed::kAgain:
        return NextStep::kLeave;  // stands for another call
      case ReadyWork::Claimed::kNothing:
        if (const std::uint32_t owner = find_owner(content, self(content).owner); owner != kNone)
          content.owners[owner].is_told = false;
        return NextStep::kNothing;
    }
  }
  return NextStep::kLeave;
}

// Returns false if it has to be called again, so that others get the lock meanwhile.
bool next_locked(Content& content, bool only_bite, Next& next, Wakes& wakes) noexcept {
  next.step = NextStep::kLeave;
  if (own_worker < 0) return true;
  const TimestampTz now = GetCurrentTimestamp();
  stop_idling(content, self(content));
  next.step = NextStep::kNothing;
  if (only_bite && single_is_next(content)) return true;
  if (start(content, now, next) || only_bite) return true;
  // Jobs that have started, and not ended.
  if (!content.ready().bite(self_index()).empty() || !settings::enabled()) return true;
  if (content.state != State::kOpen) {
    if (claim_single(content, now)) (void)start(content, now, next);
    return true;
  }
  next.step = claim(content, now, next, wakes);
  return next.step != NextStep::kLeave;
}

void finish_single(Content& content, JobNumber job, Wakes& wakes) noexcept {
  if (content.single.state != SingleState::kRuns || content.single.job.first != job) return;
  content.single.state = SingleState::kNone;
  tell(&SchedulerNews::single, content, wakes);
}

void end_locked(Content& content, const End& end, core::Instant now, Wakes& wakes) noexcept {
  ReadyWork& ready = content.ready();
  const core::queue::Bite& bite = ready.bite(self_index());
  const core::queue::Item* const item = bite.find(end.job);
  if (item == nullptr) return;
  WorkerEntry& worker = self(content);
  count_end(content, end, bite.type, item->segment, worker.committed, worker.lsn, wakes);
  if (end.outcome == Outcome::kReturned)
    ready.give_back(self_index(), end.job, now);
  else
    ready.end(self_index(), end.job, now);
  finish_single(content, end.job, wakes);
  if (worker.job == end.job) worker.job = 0;
}

void end_all(Content& content, const End* ends, std::uint32_t count, Wakes& wakes) noexcept {
  if (own_worker < 0 || count == 0) return;
  const core::Instant now = pg::now();
  for (std::uint32_t i = 0; i < count; ++i) end_locked(content, ends[i], now, wakes);
}

// The outcome of a committed job is not known here, so the numbers are counted again, and all that
// awaits an end looks at the tables.
void end_committed(Content& content, const WorkerEntry& worker, Wakes& wakes) noexcept {
  const core::queue::Bite& bite = content.ready().bite(self_index());
  for (std::uint32_t i = 0; i < bite.count; ++i) {
    if (bite.items[i].state != core::queue::Item::State::kCommitted) continue;
    content.counts_are_exact = false;
    content.batch_ends_lost = true;
    tell_end(content, bite.items[i].job, 0, worker.committed, worker.lsn, wakes);
    tell(&SchedulerNews::recount, content, wakes);
    tell(&SchedulerNews::batches, content, wakes);
  }
}

void detach_locked(Content& content, Wakes& wakes) noexcept {
  WorkerEntry& worker = self(content);
  if (worker.process == nullptr) return;
  stop_idling(content, worker);
  end_committed(content, worker, wakes);
  if (content.single.state == SingleState::kRuns &&
      content.ready().holder_of(content.single.job.first) == self_index())
    finish_single(content, content.single.job.first, wakes);
  content.ready().leave(self_index(), pg::now());
  const OwnerId owner = worker.owner;
  worker = {};
  --content.worker_count;
  if (const std::uint32_t index = find_owner(content, owner); index != kNone) {
    --content.owners[index].workers;
    content.owners[index].is_told = false;
  }
  offer_any_work(content, owner, wakes);
  leave_owner(content, owner);
}

void on_exit(int, Datum) { detach(); }

}  // namespace

// A callback of on_shmem_exit runs after the abort of the transaction, whenever it was registered.
bool attach(int worker, Oid owner) {
  if (!leaves_at_exit) pg::call([] { on_shmem_exit(on_exit, Datum{0}); });
  leaves_at_exit = true;
  const bool attached = locked(LW_EXCLUSIVE, [worker, owner](Content& content) {
    WorkerEntry& entry = content.workers[static_cast<std::uint32_t>(worker)];
    if (entry.process != nullptr) return false;
    entry.process = MyProc;
    entry.pid = MyProcPid;
    entry.owner = owner;
    ++content.worker_count;
    refer_to_owner(content, owner);
    ++content.owners[find_owner(content, owner)].workers;
    return true;
  });
  if (attached) own_worker = worker;
  return attached;
}

void detach() noexcept {
  if (own_worker < 0) return;
  locked_with_wakes([](Content& content, Wakes& wakes) { detach_locked(content, wakes); });
  own_worker = -1;
}

Next next(bool only_bite) noexcept { return end_and_next(nullptr, 0, only_bite); }

Next end_and_next(const End* ends, std::uint32_t count, bool only_bite) noexcept {
  Next result;
  for (bool is_done = false; !is_done; count = 0)
    is_done = !locked_with_wakes([&](Content& content, Wakes& wakes) {
      end_all(content, ends, count, wakes);
      return !next_locked(content, only_bite, result, wakes);
    });
  return result;
}

void end(const End* ends, std::uint32_t count) noexcept {
  locked_with_wakes([=](Content& content, Wakes& wakes) { end_all(content, ends, count, wakes); });
}

void mark_committed(JobNumber job, TransactionNumber transaction, XLogRecPtr lsn) noexcept {
  locked(LW_EXCLUSIVE, [=](Content& content) {
    if (own_worker < 0) return;
    self(content).committed = transaction;
    self(content).lsn = lsn;
    content.ready().mark_committed(self_index(), job);
  });
}

void go_on_with(JobNumber job, bool canceled) noexcept {
  const TimestampTz now = GetCurrentTimestamp();
  locked(LW_EXCLUSIVE, [=](Content& content) {
    if (own_worker >= 0) set_job(self(content), job, now, canceled);
  });
}

int count_lost_worker(JobNumber job, int limit) noexcept {
  return locked(LW_EXCLUSIVE, [=](Content& content) {
    LostWorker* lost = find_lost_worker(content, job);
    if (lost == nullptr) {
      lost = std::min_element(
          std::begin(content.lost_workers), std::end(content.lost_workers),
          [](const LostWorker& a, const LostWorker& b) { return a.last < b.last; });
      // Otherwise many such jobs would forget each other, and none would ever fail.
      const OwnerId owner = own_worker < 0 ? 0 : self(content).owner;
      *lost = {job, owner, lost->owner == owner ? lost->ends : 0, 0};
    }
    lost->last = ++content.lost_worker_count;
    const int ends = ++lost->ends;
    if (ends >= limit) *lost = {};
    return ends;
  });
}

void give_back_waiting() noexcept {
  locked_with_wakes([](Content& content, Wakes& wakes) {
    if (own_worker < 0) return;
    const core::Instant now = pg::now();
    const core::queue::Bite& bite = content.ready().bite(self_index());
    for (std::uint32_t i = bite.count; i-- > 0;)
      if (bite.items[i].state == core::queue::Item::State::kWaiting)
        content.ready().give_back(self_index(), bite.items[i].job, now);
    offer_any_work(content, self(content).owner, wakes);
  });
}

void put_back(const Found* found, std::uint32_t count, JobNumber read_until) noexcept {
  const core::Instant now = pg::now();
  locked(LW_EXCLUSIVE, [=](Content& content) {
    if (own_worker >= 0 && content.ready().is_reading(self_index()))
      content.ready().put_back(self_index(), found, count, read_until, now);
  });
}

bool rest(TimestampTz* look_again) noexcept {
  *look_again = PG_INT64_MAX;
  return locked(LW_EXCLUSIVE, [look_again](Content& content) {
    if (own_worker < 0) return false;
    WorkerEntry& worker = self(content);
    const bool has_work =
        content.state == State::kOpen
            ? content.ready().has_work(worker.owner) || content.ready().can_steal(worker.owner)
            : content.single.state == SingleState::kWaits &&
                  content.ready().owner_of(content.single.job.type) == worker.owner;
    if (has_work && settings::enabled()) return false;
    if (!std::exchange(worker.is_idle, true))
      ++content.owners[find_owner(content, worker.owner)].idle;
    if (const core::Instant at = content.ready().rates_open_at(); at != core::Instant::max())
      *look_again = at == core::Instant::min() ? GetCurrentTimestamp() : pg::to_timestamptz(at);
    return true;
  });
}

bool is_canceled() noexcept {
  return locked(LW_SHARED,
                [](Content& content) { return own_worker >= 0 && self(content).is_canceled; });
}

bool show_progress(const JobProgress& progress) noexcept {
  return locked(LW_EXCLUSIVE, [&progress](Content& content) {
    if (own_worker < 0 || self(content).job == 0) return false;
    self(content).progress = progress;
    return true;
  });
}

JobNumber running_job() noexcept {
  return locked(LW_SHARED, [](Content& content) -> JobNumber {
    return own_worker < 0 ? 0 : self(content).job;
  });
}

bool has_started(JobNumber job) noexcept {
  return locked(LW_SHARED, [job](Content& content) {
    if (own_worker < 0) return false;
    const core::queue::Item* const item = content.ready().bite(self_index()).find(job);
    return item != nullptr && item->state == core::queue::Item::State::kStarted;
  });
}

}  // namespace metrics_refresh::shmem::queue
