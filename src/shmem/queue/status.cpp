#include "shmem/queue/status.hpp"

#include <algorithm>

#include "shmem/queue/steps.hpp"

namespace metrics_refresh::shmem::queue {
namespace {

using core::queue::Item;

// Only the job that has started last has times and progress of its own; before it in a group are
// those that wait for its commit.
RunningJob running_job_of(const WorkerEntry& worker, std::uint32_t index,
                          const core::queue::Bite& bite, const Item& item) noexcept {
  RunningJob job;
  job.job = item.job;
  job.type = bite.type;
  job.segment = item.segment;
  job.worker = static_cast<int>(index);
  job.pid = worker.pid;
  job.is_committed = item.state == Item::State::kCommitted;
  job.started_at = worker.started_at;
  if (worker.job != item.job) return job;
  job.is_canceled = worker.is_canceled;
  job.progress = worker.progress;
  return job;
}

bool is_started(const Item& item) noexcept {
  return item.state == Item::State::kStarted || item.state == Item::State::kCommitted;
}

void add_jobs(Content& content, std::uint32_t worker, std::vector<RunningJob>& jobs) noexcept {
  const core::queue::Bite& bite = content.ready().bite(worker);
  for (std::uint32_t i = 0; i < bite.count && jobs.size() < jobs.capacity(); ++i)
    if (is_started(bite.items[i]))
      jobs.push_back(running_job_of(content.workers[worker], worker, bite, bite.items[i]));
}

bool has_unclaimed_rows(Content& content) noexcept {
  const std::int64_t claimed = std::int64_t{content.ready().claims()} - content.ready().holds();
  std::int64_t rows = 0;
  for (const std::int64_t of_segment : content.segments.rows) rows += of_segment;
  return rows > claimed;
}

// A hint may outlive its job, because it was posted twice, or because the job was canceled. If no
// worker comes, nothing drops it. Then the numbers may still tell that no job waits.
core::Instant oldest_turn(Content& content, const TypeEntry& entry, core::Instant now) noexcept {
  const ReadyWork& ready = content.ready();
  const core::Instant since = ready.oldest_turn_of(entry.type, now);
  if (since == core::Instant::max() || !content.counts_are_exact) return since;
  const bool may_wait =
      entry.counts.open > std::int64_t{ready.running(entry.type)} && has_unclaimed_rows(content);
  return may_wait ? since : core::Instant::max();
}

core::Instant oldest_turn(Content& content, core::Instant now) noexcept {
  core::Instant oldest = core::Instant::max();
  for (std::uint32_t i = 0; i < content.types.size(); ++i)
    if (content.types[i].type != 0)
      oldest = std::min(oldest, oldest_turn(content, content.types[i], now));
  return oldest;
}

}  // namespace

std::vector<RunningJob> running_jobs() {
  std::vector<RunningJob> jobs;
  if (!is_current()) return jobs;
  jobs.reserve(std::size_t{sizes().workers} * kMostInBite);
  locked(LW_SHARED, [&jobs](Content& content) {
    for (std::uint32_t i = 0; i < content.workers.size(); ++i)
      if (content.workers[i].process != nullptr) add_jobs(content, i, jobs);
  });
  return jobs;
}

std::optional<RunningJob> find_running(JobNumber job) noexcept {
  return locked(LW_SHARED, [job](Content& content) -> std::optional<RunningJob> {
    const std::uint32_t worker = content.ready().holder_of(job);
    if (worker >= content.workers.size()) return {};
    const core::queue::Bite& bite = content.ready().bite(worker);
    const Item* const item = bite.find(job);
    if (item == nullptr || !is_started(*item)) return {};
    return running_job_of(content.workers[worker], worker, bite, *item);
  });
}

bool is_processing(JobNumber job) noexcept {
  return locked(LW_SHARED, [job](Content& content) {
    const std::uint32_t holder = content.ready().holder_of(job);
    if (holder >= content.workers.size()) return holder == core::queue::Claim::kOutside;
    const Item* const item = content.ready().bite(holder).find(job);
    return item != nullptr && is_started(*item);
  });
}

std::optional<QueueStatus> queue_status() noexcept {
  const core::Instant now = pg::now();
  return locked(LW_SHARED, [=](Content& content) -> std::optional<QueueStatus> {
    const ReadyWork& ready = content.ready();
    const ReadyWork::Sizes& all = sizes().ready;
    QueueStatus status;
    status.state = content.state;
    status.made_at = content.made_at;
    status.spans = all.spans;
    status.spans_free = ready.free_spans();
    status.lanes = all.lanes;
    status.lanes_free = ready.free_lanes();
    status.types = all.types;
    status.types_free = ready.free_types();
    status.claims = ready.claims();
    status.outside = ready.outside();
    status.roles = kRoles - content.roles.free_count();
    status.workers = content.worker_count;
    status.counts_are_exact = content.counts_are_exact;
    const core::Instant oldest = oldest_turn(content, now);
    status.oldest_turn = oldest == core::Instant::max() ? 0 : pg::to_timestamptz(oldest);
    status.last_end = content.news.last_end;
    return status;
  });
}

std::vector<WaitingType> waiting_types() {
  std::vector<WaitingType> waiting;
  if (!is_current()) return waiting;
  waiting.reserve(sizes().ready.types);
  const core::Instant now = pg::now();
  locked(LW_SHARED, [&waiting, now](Content& content) {
    const ReadyWork& ready = content.ready();
    for (std::uint32_t i = 0; i < content.types.size(); ++i) {
      const TypeId type = content.types[i].type;
      if (type == 0) continue;
      const core::Instant since = oldest_turn(content, content.types[i], now);
      if (since != core::Instant::max() && waiting.size() < waiting.capacity())
        waiting.push_back(
            {type, is_outside_owner(ready.owner_of(type)), pg::to_timestamptz(since)});
    }
  });
  return waiting;
}

Places places() noexcept {
  if (registry == nullptr) return {};
  Places result;
  LWLockAcquire(registry->lock, LW_SHARED);
  result.most = registry->places;
  for (int i = 0; i < registry->places; ++i)
    if (OidIsValid(place_at(i).database)) ++result.used;
  LWLockRelease(registry->lock);
  return result;
}

}  // namespace metrics_refresh::shmem::queue
