// What each event changes; what follows from the time is in scheduler.cpp.

#include <algorithm>

#include "core/scheduler/scheduler.hpp"

namespace metrics_refresh::core {

Scheduler::Entry* Scheduler::find(JobId id) {
  const auto found = jobs_.find(id);
  return found == jobs_.end() ? nullptr : &found->second;
}

// The job whose own run is under way, or, for a member, whose run is open.
Scheduler::Entry* Scheduler::find_running(JobId id, bool member) {
  Entry* const entry = find(id);
  if (entry == nullptr || entry->state != State::kRunning) return nullptr;
  return entry->group.has_value() == member ? entry : nullptr;
}

void Scheduler::on(Instant now, const JobChanged& event) {
  const auto [found, is_new] = jobs_.try_emplace(event.job.id);
  Entry& entry = found->second;
  // The job may have been read before this scheduler handled its latest due time, or hold a history
  // that the clock was stepped back from.
  const bool believed = is_new || event.job.handled_until <= now + kSmallStep;
  const Instant known = entry.job.handled_until;
  entry.job = event.job;
  entry.job.handled_until = believed ? std::max(event.job.handled_until, known) : known;
  entry.removed = false;
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
  update_ready(entry);  // the priority or the owner may be another
}

// A retry that was read before the run that serves it, or a later due time, had begun.
bool Scheduler::is_served(const Entry& entry, const Retry& retry) const {
  if (entry.state != State::kRunning || entry.request) return false;
  return retry.due < entry.place.due ||
         (retry.due == entry.place.due && retry.attempt <= entry.attempt);
}

void Scheduler::on(Instant now, const JobRemoved& event) {
  Entry* const entry = find(event.job);
  if (entry == nullptr) return;
  entry->removed = true;
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
  if (!requests_.emplace(event.run, event.job).second) return;
  entry->requests.insert(event.run);
  take_next(*entry, now);
}

void Scheduler::on(Instant now, const TriggerWithdrawn& event) {
  const auto found = requests_.find(event.run);
  if (found == requests_.end()) return;
  Entry& entry = jobs_.at(found->second);
  if (entry.request != event.run) {
    entry.requests.erase(event.run);
    requests_.erase(found);
  } else if (entry.state == State::kRunning) {
    entry.withdrawn = true;
  } else {
    finish(entry, now);
  }
}

void Scheduler::on(Instant now, const RunAdopted& event) {
  Entry* const entry = find(event.job);
  if (entry == nullptr || entry->removed) return;
  if (event.handled_until > entry->job.handled_until) {
    entry->job.handled_until = event.handled_until;
    plan_next(*entry, now);
  }
  begin_unseen(*entry, now);
  if (!event.member) return;
  if (!entry->group) entry->group.emplace();
  entry->group->adopt(*event.member);
  update_ready(*entry);
}

void Scheduler::on(Instant now, const GroupOpened& event) {
  Entry* const entry = find(event.job);
  if (entry == nullptr || (entry->state != State::kRunning && event.pending.empty())) return;
  // That nothing is pending any more may be said of a run that has ended since, when the next is
  // being planned.
  if (event.pending.empty() && !entry->group && event.run == entry->opened) return;
  entry->opened = event.run;
  if (!entry->group) on(now, WorkerFreed{});  // the one that planned
  begin_unseen(*entry, now);
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

// The turn of the owner whose start was refused, where that job waits again.
void Scheduler::give_back(JobId id) {
  const Entry* const entry = find(id);
  if (entry != nullptr && entry->waits)
    ready_.give_back(*entry->waits, entry->turn_before, entry->without_before);
}

void Scheduler::on(Instant, const WorkerFreed&) { refused_until_.reset(); }

// A run turns out to be under way that this scheduler did not start; what was ready waits for it.
void Scheduler::begin_unseen(Entry& entry, Instant now) {
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
