#include "shmem/queue/scheduler_news.hpp"

#include <algorithm>
#include <csignal>

#include "shmem/queue/steps.hpp"

namespace metrics_refresh::shmem::queue {

SchedulerNews take_news() noexcept {
  return locked(LW_EXCLUSIVE, [](Content& content) {
    SchedulerNews news = content.news;
    news.is_new = content.state == State::kNew;
    news.rereads = static_cast<std::uint8_t>(content.ready().rereads_wanted());
    const core::Instant opens = content.ready().rates_open_at();
    news.rates_open_at = opens == core::Instant::max()   ? PG_INT64_MAX
                         : opens == core::Instant::min() ? GetCurrentTimestamp()
                                                         : pg::to_timestamptz(opens);
    const XLogRecPtr last_end = content.news.last_end;
    content.news = {};
    content.news.last_end = last_end;
    return news;
  });
}

void watch_ends(bool wanted) noexcept {
  locked(LW_EXCLUSIVE, [wanted](Content& content) { content.watches_ends = wanted; });
}

std::vector<OwnerWork> owners() {
  std::vector<OwnerWork> list(is_current() ? sizes().ready.types * 2 + sizes().workers : 0);
  struct Copied {
    std::uint32_t count;
    OwnerId next;
  };
  const Copied copied = locked(LW_EXCLUSIVE, [&list](Content& content) {
    std::uint32_t count = 0;
    for (std::uint32_t i = 0; i < content.owners.size(); ++i) {
      OwnerEntry& owner = content.owners[i];
      if (owner.references == 0 || is_outside_owner(owner.owner)) continue;
      const bool has_work = content.ready().has_work(owner.owner);
      if (!has_work) owner.is_told = false;
      if (has_work || owner.workers > 0)
        list[count++] = {owner.owner, has_work, static_cast<int>(owner.workers),
                         static_cast<int>(owner.idle)};
    }
    return Copied{count, content.ready().next_owner()};
  });
  list.resize(copied.count);
  const auto next = std::find_if(list.begin(), list.end(), [&copied](const OwnerWork& work) {
    return work.owner == copied.next;
  });
  if (next != list.end()) std::rotate(list.begin(), next, next + 1);
  return list;
}

void open_rates() noexcept {
  const core::Instant now = pg::now();
  const bool have_opened =
      locked(LW_EXCLUSIVE, [now](Content& content) { return content.ready().open_rates(now); });
  if (have_opened) offer_any_work_to_all();
}

bool start_singly(const Jobs& job) noexcept {
  return locked_with_wakes([&job](Content& content, Wakes& wakes) {
    const OwnerId owner = content.ready().owner_of(job.type);
    const std::uint32_t index = find_owner(content, owner);
    if (owner == 0 || index == kNone || content.ready().holder_of(job.first) != kNone) return false;
    content.single = {SingleState::kWaits, job};
    for (std::uint32_t i = 0; i < content.workers.size(); ++i) {
      WorkerEntry& worker = content.workers[i];
      if (!worker.is_idle || worker.owner != owner) continue;
      worker.is_idle = false;
      --content.owners[index].idle;
      wakes.add(worker.process);
      break;
    }
    return true;
  });
}

SingleState single_state() noexcept {
  return locked(LW_SHARED, [](Content& content) { return content.single.state; });
}

void want_rereads(std::uint8_t segments) noexcept {
  locked(LW_EXCLUSIVE, [segments](Content& content) {
    for (std::uint8_t segment = 0; segment < kSegments; ++segment)
      if ((segments >> segment & 1U) != 0) content.ready().want_reread(segment);
  });
}

void begin_reread(std::uint8_t segment) noexcept {
  locked(LW_EXCLUSIVE, [segment](Content& content) { content.ready().begin_reread(segment); });
}

void end_reread(std::uint8_t segment) noexcept {
  locked(LW_EXCLUSIVE, [segment](Content& content) { content.ready().end_reread(segment); });
}

namespace {

constexpr TimestampTz kNoEnd = PG_INT64_MAX;

// When the worker has to be terminated, if it still has the job.
TimestampTz last_end(Content& content, const WorkerEntry& worker, std::uint32_t index,
                     std::int64_t grace) noexcept {
  if (worker.process == nullptr || worker.job == 0) return kNoEnd;
  const core::queue::Item* const item = content.ready().bite(index).find(worker.job);
  if (item == nullptr || item->state != core::queue::Item::State::kStarted) return kNoEnd;
  if (worker.is_canceled) return worker.canceled_at + grace;
  const std::uint32_t type = find_type(content, content.ready().bite(index).type);
  if (type == kNone || content.types[type].copy.timeout.count() == 0) return kNoEnd;
  return worker.started_at + content.types[type].copy.timeout.count() + grace;
}

}  // namespace

// The signal is sent under the lock, so that the pid is still that of the worker.
TimestampTz end_overdue(std::int64_t grace) noexcept {
  const TimestampTz now = GetCurrentTimestamp();
  return locked(LW_EXCLUSIVE, [grace, now](Content& content) {
    TimestampTz next = kNoEnd;
    for (std::uint32_t i = 0; i < content.workers.size(); ++i) {
      const TimestampTz at = last_end(content, content.workers[i], i, grace);
      if (at <= now)
        kill(content.workers[i].pid, SIGTERM);
      else
        next = std::min(next, at);
    }
    return next;
  });
}

}  // namespace metrics_refresh::shmem::queue
