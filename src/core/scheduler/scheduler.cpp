#include "core/scheduler/scheduler.hpp"

#include <algorithm>

#include "core/scheduler/ready_preview.hpp"

// A tick has three parts. It handles the events. It makes the jobs ready whose time has come
// (collect_due). It starts as many ready runs as there are free workers (start_ready).
//
// The timeline is a set of (time, job), with at most one entry for each job: its next start or its
// retry, whichever counts. Each function that changes one of the two calls update_timeline(). In
// the same way, update_ready() must be called after each change that affects the place of a job in
// the queue of ready runs.
//
// A start is only a proposal. If no worker could be started, StartRefused brings the run back to
// its old place, and the next start is tried after kRefusedDelay.

namespace metrics_refresh::core {

Plan Scheduler::tick(Instant now, const std::vector<Event>& events, const Limits& limits) {
  handle_clock_step(now);
  for (const Event& event : events)
    std::visit([this, now](const auto& what) { on(now, what); }, event);
  Plan plan;
  collect_due(now, limits.enabled, plan);
  if (limits.enabled && start_ready(now, limits, plan) == 0)
    plan.starving = ready_.has_starving(now, limits.yield_after);
  plan.wake_up = next_due();
  // Runs that wait are tried again, because the limits or the number of workers may have changed.
  if (limits.enabled && !ready_.empty()) {
    const Instant again = refused_until_.value_or(now + kRefusedDelay);
    plan.wake_up = std::min(plan.wake_up.value_or(again), again);
  }
  return plan;
}

std::optional<Instant> Scheduler::next_due() const {
  if (timeline_.empty()) return std::nullopt;
  return timeline_.begin()->first;
}

std::vector<JobId> Scheduler::due_until(Instant until, std::size_t most) const {
  std::vector<JobId> result;
  for (auto it = timeline_.begin(); it != timeline_.end() && it->first <= until; ++it) {
    if (result.size() == most) break;
    if (jobs_.at(it->second).state == State::kIdle) result.push_back(it->second);
  }
  return result;
}

// If the clock was set back, due times may be far in the future, so all of them are computed again.
// Times at which something began to wait are limited to the present.
void Scheduler::handle_clock_step(Instant now) {
  const std::optional<Instant> before = std::exchange(last_tick_, now);
  if (!before || now >= *before) return;
  for (auto& [id, entry] : jobs_) {
    if (entry.last_end) entry.last_end = std::min(*entry.last_end, now);
    count_from_end(entry, now);
    plan_next(entry, now);
    entry.place.limit(now);
    if (entry.queued) entry.queued = std::min(*entry.queued, now);
    if (entry.group) entry.group->limit_places(now);
    update_ready(entry);
  }
  ready_.limit_waits(now);
  // The delay was measured with the old clock and may now be long.
  if (refused_until_) refused_until_ = now;
}

// Computes the first due time after `handled_until`. If that is in the future, the clock was set
// back. After a small step, such as a correction by a time server, it stays valid. After a large
// step it does not, because a job must not pause for hours.
void Scheduler::plan_next(Entry& entry, Instant now) {
  Job& job = entry.job;
  if (job.handled_until > now + kSmallStep) job.handled_until = now;
  entry.due.reset();
  if (job.timetable && job.runnable && !entry.removed) {
    entry.due = job.timetable->next_after(job.handled_until);
    if (entry.due) entry.start = job.timetable->start_of(job.id, *entry.due);
  }
  update_timeline(entry, now);
}

void Scheduler::count_from_end(Entry& entry, Instant now) {
  std::optional<Timetable>& timetable = entry.job.timetable;
  if (!timetable || !timetable->schedule.counts_from_end()) return;
  // While a run is in progress, `@after` is not due.
  timetable->last_end = entry.state == State::kIdle ? entry.last_end : Instant::max();
  plan_next(entry, now);
}

void Scheduler::update_timeline(Entry& entry, Instant now) {
  Job& job = entry.job;
  std::optional<Instant> wants;
  if (entry.due) wants = entry.start;
  if (!job.runnable || entry.removed) job.retry.reset();
  if (job.retry && entry.state == State::kIdle) {
    Retry& retry = *job.retry;
    // If the clock was set back, the retry could be far in the future. It waits no longer than the
    // time between its due time and the retry.
    retry.at = std::min(retry.at, now + std::max(retry.at - retry.due, Duration::zero()));
    if (is_still_useful(entry, retry, now))
      wants = retry.at;
    else
      job.retry.reset();
  }
  if (wants == entry.wants) return;
  if (entry.wants) timeline_.erase({*entry.wants, job.id});
  entry.wants = wants;
  if (wants) timeline_.insert({*wants, job.id});
}

// Returns true if no due time comes before the retry, and none has come since the time of the
// retry.
bool Scheduler::is_still_useful(const Entry& entry, const Retry& retry, Instant now) const {
  if (!entry.job.timetable) return true;
  // A due time replaces a retry: both would do the same work.
  if (entry.due && *entry.due <= retry.at) return false;
  const std::optional<Instant> next = entry.job.timetable->next_after(retry.at);
  return !next || *next > now;
}

void Scheduler::collect_due(Instant now, bool enabled, Plan& plan) {
  while (!timeline_.empty() && timeline_.begin()->first <= now) {
    Entry& entry = jobs_.at(timeline_.begin()->second);
    if (entry.state == State::kIdle && entry.job.retry) {
      const Retry retry = *std::exchange(entry.job.retry, std::nullopt);
      make_ready(entry, retry.due, now, std::nullopt, retry.attempt);
    } else {
      handle_due(entry, now, enabled, plan);
    }
  }
}

void Scheduler::handle_due(Entry& entry, Instant now, bool enabled, Plan& plan) {
  Job& job = entry.job;
  if (entry.state == State::kReady && entry.attempt > 1) {
    job.retry.reset();
    finish(entry, now);  // the due time comes in place of the retry
  }
  const Instant due = *entry.due;
  const Instant in_time = now - kMissedAfter;
  const std::optional<Instant> at_start = job.timetable->schedule.server_start();
  // `@reboot` is due at the server's start, which is always past, so it is never skipped.
  const bool skip = entry.state == State::kIdle && job.on_missed == OnMissed::kSkip &&
                    entry.start < in_time && due != at_start;
  // A due time that is not missed may follow the skipped ones.
  Instant until = skip ? in_time - Duration(1) : now;
  if (skip && at_start && due < *at_start) until = std::min(until, *at_start - Duration(1));
  job.handled_until = job.timetable->started_until(job.id, due, until);
  plan_next(entry, now);
  if (!enabled || skip) return;
  if (entry.state == State::kIdle) {
    make_ready(entry, due, now, std::nullopt);
  } else if (entry.state == State::kRunning && job.on_overlap == OnOverlap::kQueueOne) {
    // Only the latest due time is queued; the earlier one is missed.
    if (entry.queued) plan.actions.push_back(Missed{job.id, *entry.queued});
    entry.queued = due;
  } else {
    plan.actions.push_back(Missed{job.id, due});
  }
}

void Scheduler::make_ready(Entry& entry, Instant due, Instant now, std::optional<RunId> request,
                           int attempt) {
  entry.state = State::kReady;
  entry.place = next_place(std::min(due, now), now);
  entry.request = request;
  entry.attempt = attempt;
  update_ready(entry);
  count_from_end(entry, now);
  update_timeline(entry, now);
}

// Ends a ready or running run: it has ended, or it will not be started.
void Scheduler::finish(Entry& entry, Instant now) {
  if (entry.request) requests_.erase(*entry.request);
  if (entry.state == State::kRunning) entry.last_end = now;
  entry.state = State::kIdle;
  entry.request.reset();
  entry.withdrawn = false;
  entry.group.reset();
  update_ready(entry);
  // A removed job is kept until its run has ended, so that the end of the run finds it.
  if (entry.removed) {
    jobs_.erase(entry.job.id);
    return;
  }
  count_from_end(entry, now);
  start_next_request(entry, now);
  update_timeline(entry, now);
}

// Requests come first, because a user may wait for them. They also come to an end, but due times
// may come again and again.
void Scheduler::start_next_request(Entry& entry, Instant now) {
  if (entry.state != State::kIdle) return;
  if (!entry.requests.empty()) {
    const RunId run = *entry.requests.begin();
    entry.requests.erase(entry.requests.begin());
    make_ready(entry, now, now, run);
  } else if (entry.queued) {
    make_ready(entry, *std::exchange(entry.queued, std::nullopt), now, std::nullopt);
  }
}

// Updates the place of the entry in the queue of runs that wait for a worker.
void Scheduler::update_ready(Entry& entry) {
  const auto next = starts_of(entry, 1);
  if (entry.waits && !next.empty() && entry.waits->owner == entry.job.owner &&
      entry.waits->rank == next.front().first)
    return;  // otherwise its owner would lose the turn
  if (entry.waits) ready_.erase(*entry.waits);
  entry.waits.reset();
  if (next.empty()) return;
  entry.waits = ReadyRuns::Waiting{entry.job.owner, next.front().first};
  ready_.insert(entry.job.id, *entry.waits);
}

// Starts ready runs, and returns the number of workers that are still free.
int Scheduler::start_ready(Instant now, const Limits& limits, Plan& plan) {
  int free = limits.free_workers;
  for (const auto& [owner, runs] : limits.busy) ready_.set_has_run(owner, now);
  if (ready_.empty() || (refused_until_ && *refused_until_ > now)) return free;
  refused_until_.reset();
  // The map is copied: each start of this tick counts for the limit of its owner.
  std::map<OwnerId, int> busy = limits.busy;
  const auto may_start = [&](OwnerId owner, JobId job) {
    if (!jobs_.at(job).job.limited) return true;
    const auto found = busy.find(owner);
    const int runs = found == busy.end() ? 0 : found->second;
    // Workers are kept free for an owner of another database that has no running run.
    if (limits.reserved && runs > 0) return false;
    return limits.owner_workers == 0 || runs < limits.owner_workers;
  };
  for (; free > 0; --free) {
    const auto next = ready_.next(now, limits.yield_after, may_start);
    if (!next) break;
    Entry& entry = jobs_.at(next->job);
    plan.actions.push_back(starts_of(entry, 1).front().second);
    if (entry.job.limited) ++busy[entry.job.owner];
    start(*next, now);
  }
  return free;
}

void Scheduler::start(const ReadyRuns::Next& next, Instant now) {
  Entry& entry = jobs_.at(next.job);
  ready_.start(next, now);
  entry.waits.reset();
  // Both are needed if the start is refused.
  entry.turn_before = next.turn;
  entry.waiting_since_before = next.waiting_since;
  if (entry.group) {
    entry.group->start_next();
  } else {
    entry.state = State::kRunning;
    // The run serves the due time, so a planned retry is no longer needed.
    entry.job.retry.reset();
  }
  update_ready(entry);
  ready_.set_has_run(next.where.owner, now);  // for other waiting runs of this owner
}

// Returns the starts of the entry that wait for a worker: its run, or members of it.
std::vector<std::pair<Rank, Start>> Scheduler::starts_of(const Entry& entry,
                                                         std::size_t most) const {
  const Job& job = entry.job;
  std::vector<std::pair<Rank, Start>> starts;
  if (entry.state == State::kReady) {
    starts.push_back(
        {Rank{job.priority, entry.place}, Start{job.id, entry.place.due, entry.request,
                                                std::nullopt, entry.attempt, job.handled_until}});
  }
  if (!entry.group) return starts;
  for (const auto& [member, place] : entry.group->ready(most, job.max_parallel)) {
    starts.push_back({Rank{job.priority, place},
                      Start{job.id, place.due, entry.group->run(), member, 1, job.handled_until}});
  }
  return starts;
}

std::vector<Start> Scheduler::waiting(std::size_t most) const {
  return preview(
      ready_, most, last_tick_.value_or(Instant{}),
      [this](JobId id, std::size_t members) { return starts_of(jobs_.at(id), members); });
}

Scheduler::Entry* Scheduler::find(JobId id) {
  const auto found = jobs_.find(id);
  return found == jobs_.end() ? nullptr : &found->second;
}

// Returns the job if its own run is running, or, for a member, if its group's run is open.
Scheduler::Entry* Scheduler::find_running(JobId id, bool member) {
  Entry* const entry = find(id);
  if (entry == nullptr || entry->state != State::kRunning) return nullptr;
  return entry->group.has_value() == member ? entry : nullptr;
}

void Scheduler::on(Instant now, const JobChanged& event) {
  const auto [found, is_new] = jobs_.try_emplace(event.job.id);
  Entry& entry = found->second;
  // The job may have been read before this scheduler handled its latest due time. Or
  // `handled_until` may be in the future because the clock was set back.
  const bool is_current = is_new || event.job.handled_until <= now + kSmallStep;
  const Instant known = entry.job.handled_until;
  entry.job = event.job;
  entry.job.handled_until = is_current ? std::max(event.job.handled_until, known) : known;
  entry.removed = false;
  // A paused job must not run for a due time that was queued before.
  if (!entry.job.runnable) entry.queued.reset();
  if (entry.job.timetable && entry.job.timetable->last_end)
    entry.last_end =
        std::max(entry.last_end, std::optional(std::min(*entry.job.timetable->last_end, now)));
  count_from_end(entry, now);
  if (entry.job.retry && is_served(entry, *entry.job.retry)) entry.job.retry.reset();
  plan_next(entry, now);
  const bool given_up = entry.attempt > 1 && !entry.job.retry;
  if (entry.state == State::kReady && !entry.request && (!entry.job.runnable || given_up))
    finish(entry, now);
  update_ready(entry);  // the priority or the owner may have changed
}

// Returns true for a retry that was read before the run that serves it, or a later due time, began.
bool Scheduler::is_served(const Entry& entry, const Retry& retry) const {
  if (entry.state != State::kRunning || entry.request) return false;
  return retry.due < entry.place.due ||
         (retry.due == entry.place.due && retry.attempt <= entry.attempt);
}

void Scheduler::on(Instant now, const JobRemoved& event) {
  Entry* const entry = find(event.job);
  if (entry == nullptr) return;
  entry->removed = true;
  // If its start is refused, it must not be repeated.
  entry->withdrawn = true;
  entry->queued.reset();
  entry->due.reset();
  for (const RunId run : entry->requests) requests_.erase(run);
  entry->requests.clear();
  update_timeline(*entry, now);
  if (entry->group) {
    entry->group->close();
    finish_group_if_done(*entry, now);
  } else if (entry->state != State::kRunning) {
    finish(*entry, now);
  }
}

void Scheduler::on(Instant now, const TriggerRequested& event) {
  Entry* const entry = find(event.job);
  if (entry == nullptr || entry->removed) return;
  // The request may be read from the tables more than once.
  if (!requests_.emplace(event.run, event.job).second) return;
  entry->requests.insert(event.run);
  start_next_request(*entry, now);
}

void Scheduler::on(Instant now, const TriggerWithdrawn& event) {
  const auto found = requests_.find(event.run);
  if (found == requests_.end()) return;
  Entry& entry = jobs_.at(found->second);
  if (entry.request != event.run) {
    entry.requests.erase(event.run);
    requests_.erase(found);
  } else if (entry.state == State::kRunning) {
    // The run is being started. If the start is refused, it must not be repeated.
    entry.withdrawn = true;
  } else {
    finish(entry, now);
  }
}

void Scheduler::on(Instant now, const RunAdopted& event) {
  Entry* const entry = find(event.job);
  if (entry == nullptr || entry->removed) return;
  // The earlier scheduler has served these due times.
  if (event.handled_until > entry->job.handled_until) {
    entry->job.handled_until = event.handled_until;
    plan_next(*entry, now);
  }
  adopt_run(*entry, now);
  if (!event.member) return;
  if (!entry->group) entry->group.emplace();
  entry->group->adopt(*event.member);
  update_ready(*entry);
}

void Scheduler::on(Instant now, const GroupOpened& event) {
  Entry* const entry = find(event.job);
  if (entry == nullptr || (entry->state != State::kRunning && event.pending.empty())) return;
  // An empty list may refer to a run that has ended in the meantime, while the next one is being
  // planned.
  if (event.pending.empty() && !entry->group && event.run == entry->opened) return;
  entry->opened = event.run;
  if (!entry->group) on(now, WorkerFreed{});  // the worker that planned it is free
  adopt_run(*entry, now);
  if (!entry->group) entry->group.emplace();
  if (!entry->removed) entry->group->plan(event.run, event.pending, next_place(now, now));
  finish_group_if_done(*entry, now);
}

void Scheduler::on(Instant now, const RunEnded& event) {
  Entry* const entry = find_running(event.job, event.member.has_value());
  if (entry == nullptr) return;
  on(now, WorkerFreed{});
  if (!event.member) {
    finish(*entry, now);
    return;
  }
  entry->group->end(*event.member, event.success, next_place(now, now));
  finish_group_if_done(*entry, now);
}

void Scheduler::on(Instant now, const StartRefused& event) {
  Entry* const entry = find_running(event.job, event.member.has_value());
  if (entry == nullptr) return;
  // There is no worker at the moment, so no other start is tried until the delay has passed.
  refused_until_ = now + kRefusedDelay;
  const bool paused = !entry->request && !entry->job.runnable;
  if (event.member) {
    entry->group->refuse(*event.member, next_place(now, now));
    finish_group_if_done(*entry, now);
    if (!event.tried) give_back(event.job);
  } else if (entry->withdrawn || paused) {
    finish(*entry, now);
  } else {
    entry->state = State::kReady;
    update_ready(*entry);
    if (!event.tried) give_back(event.job);
  }
}

// Restores the turn of the owner whose start was refused, if the job waits again.
void Scheduler::give_back(JobId id) {
  const Entry* const entry = find(id);
  if (entry != nullptr && entry->waits)
    ready_.give_back(*entry->waits, entry->turn_before, entry->waiting_since_before);
}

void Scheduler::on(Instant, const WorkerFreed&) { refused_until_.reset(); }

// Handles a run that this scheduler did not start. A run that was ready waits for its end.
void Scheduler::adopt_run(Entry& entry, Instant now) {
  if (entry.state == State::kRunning) return;
  if (entry.state == State::kReady) {
    if (entry.request)
      entry.requests.insert(*entry.request);
    else if (entry.attempt == 1 && entry.job.on_overlap == OnOverlap::kQueueOne)
      entry.queued = entry.place.due;
  }
  entry.state = State::kRunning;
  entry.request.reset();
  entry.attempt = 1;
  entry.place = next_place(now, now);
  update_ready(entry);
  count_from_end(entry, now);
  update_timeline(entry, now);
}

void Scheduler::finish_group_if_done(Entry& entry, Instant now) {
  if (entry.group->done())
    finish(entry, now);
  else
    update_ready(entry);
}

}  // namespace metrics_refresh::core
