#include "shmem/queue/holds.hpp"

#include <csignal>

#include "shmem/queue/steps.hpp"

namespace metrics_refresh::shmem::queue {
namespace {

HoldResult result_of(const ReadyWork::Held& held) noexcept {
  using Result = HoldResult::Result;
  switch (held.result) {
    case ReadyWork::Held::Result::kHeld:
      return {Result::kHeld, -1};
    case ReadyWork::Held::Result::kRunning:
      return {Result::kRunning, static_cast<int>(held.worker)};
    case ReadyWork::Held::Result::kOutside:
      return {Result::kOutside, -1};
    case ReadyWork::Held::Result::kInUse:
      return {Result::kInUse, -1};
    case ReadyWork::Held::Result::kNoRoom:
      break;
  }
  return {Result::kNoRoom, -1};
}

// If the type is not known, it is unknown how a hint that was met has to be posted.
void end_locked(Content& content, const HoldEnd& end, TimestampTz now, Wakes& wakes) noexcept {
  if (content.ready().holder_of(end.job.first) != core::queue::Claim::kHold) return;
  std::uint32_t segments = content.ready().release(end.job.first);
  give_back(content, end.role, &RoleEntry::holds, 1);
  if (end.is_ready) segments |= 1U << end.job.segment;
  for (std::uint8_t segment = 0; segment < kSegments; ++segment) {
    if ((segments >> segment & 1U) == 0) continue;
    if (end.job.type == 0) {
      content.ready().want_reread(segment);
      continue;
    }
    Jobs job = end.job;
    if (job.segment != segment) job.tid = {};
    job.segment = segment;
    post_locked(content, job, now, wakes);
  }
}

}  // namespace

HoldResult hold(JobNumber job, Oid role) noexcept {
  return locked(LW_EXCLUSIVE, [=](Content& content) {
    const bool may_hold = may_take(content, role, &RoleEntry::holds, content.ready().free_holds());
    HoldResult result = result_of(content.ready().hold(job, may_hold));
    if (result.result == HoldResult::Result::kHeld)
      (void)add_to_role(content, role, &RoleEntry::holds, 1);
    else if (result.result == HoldResult::Result::kNoRoom &&
             number_of(content, role, &RoleEntry::holds) > 0)
      result.result = HoldResult::Result::kNoShare;
    return result;
  });
}

void end_holds(const HoldEnd* ends, std::uint32_t count) noexcept {
  if (count == 0) return;
  const TimestampTz now = GetCurrentTimestamp();
  locked_with_wakes([=](Content& content, Wakes& wakes) {
    for (std::uint32_t i = 0; i < count; ++i) end_locked(content, ends[i], now, wakes);
  });
}

// The signal is sent under the lock, so that the pid is still that of the worker, and the worker
// still has the job. A worker with several jobs in a transaction can only be canceled in the last.
int cancel_running(JobNumber job) noexcept {
  const TimestampTz now = GetCurrentTimestamp();
  return locked_with_wakes([job, now](Content& content, Wakes& wakes) {
    const std::uint32_t holder = content.ready().holder_of(job);
    if (holder >= content.workers.size()) return 0;
    WorkerEntry& worker = content.workers[holder];
    const core::queue::Item* const item = content.ready().bite(holder).find(job);
    if (item == nullptr || item->state != core::queue::Item::State::kStarted || worker.job != job)
      return 0;
    if (std::exchange(worker.is_canceled, true)) return worker.pid;
    worker.canceled_at = now;
    kill(worker.pid, SIGINT);
    wakes.scheduler = true;  // for end_overdue()
    return worker.pid;
  });
}

}  // namespace metrics_refresh::shmem::queue
