#include "queue/upkeep/dependencies.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "pg/time.hpp"
#include "queue/upkeep/changes.hpp"
#include "store/queue/dependencies.hpp"
#include "store/queue/ended.hpp"
#include "store/queue/job_ends.hpp"
#include "store/queue/later.hpp"

namespace metrics_refresh::queue {
namespace {

// Of a step.
constexpr std::size_t kMost = 500;
// The next pass begins after some times the duration of the last one. So many waiters do not keep
// the scheduler from other work.
constexpr int kPause = 4;

constexpr char kReason[] = "a job that it waited for is dead or canceled";

void cancel(pg::Spi& spi, JobNumber waiter) {
  const std::optional<Job> job = store::queue::take_later(spi, waiter);
  if (!job) return store::queue::remove_waiter(spi, waiter);
  store::queue::Stop how;
  how.status = store::queue::StopStatus::kCanceled;
  how.finished_at = GetCurrentTimestamp();
  how.reason = store::queue::make_text(kReason);
  store::queue::stop(*job, how);
  store::queue::remove_waiter(spi, waiter);
  note_canceled(store::queue::unended_of(*job));
}

}  // namespace

void Dependencies::expect_all(core::Instant now) {
  wants_another_ = true;
  if (!is_in_pass_) pass_due_.no_later_than(std::min(pass_began_, now) + pass_took_ * kPause);
}

void Dependencies::work(core::Instant now, Mover& mover) {
  if (pass_due_.take(now)) go_on_with_pass(now, mover);
  if (ends_due_.take(now)) take_ends(now, mover);
}

void Dependencies::go_on_with_pass(core::Instant now, Mover& mover) {
  if (!is_in_pass_) {
    is_in_pass_ = true;
    wants_another_ = false;
    until_ = 0;
    pass_began_ = now;
    if (shmem::queue::filter_is_full()) {
      shmem::queue::empty_filter();
      position_.reset();
    }
  }
  std::vector<std::int64_t> jobs;
  if (!store::try_with_own_tables(
          "jobs that others wait for cannot be read now",
          [&](pg::Spi& spi) { jobs = store::queue::read_predecessors(spi, until_, kMost); }))
    return pass_due_.failed(now);
  const shmem::queue::RingPosition position =
      shmem::queue::await(jobs.data(), static_cast<std::uint32_t>(jobs.size()));
  if (!position_) position_ = position;
  if (!settle(jobs, mover)) return pass_due_.failed(now);
  if (!unsettled_.empty()) ends_due_.no_later_than(now + store::kTryAgain);
  pass_due_.succeeded();
  if (jobs.size() == kMost) {
    until_ = jobs.back();
    return pass_due_.at_once();
  }
  is_in_pass_ = false;
  pass_took_ = pg::now() - pass_began_;
  if (wants_another_) expect_all(now);
}

void Dependencies::take_ends(core::Instant now, Mover& mover) {
  std::vector<std::int64_t> jobs = std::exchange(unsettled_, {});
  std::array<shmem::queue::AwaitedEnd, kMost> ends;
  if (position_) {
    const shmem::queue::AwaitedNews news =
        shmem::queue::awaited_ends(*position_, ends.data(), kMost);
    position_ = news.position;
    if (news.look_again) expect_all(now);
    if (news.count == kMost) ends_due_.at_once();
    for (std::uint32_t i = 0; i < news.count; ++i) jobs.push_back(ends[i].job);
  }
  if (jobs.empty()) return;
  if (settle(jobs, mover)) {
    ends_due_.succeeded();
    if (!unsettled_.empty()) ends_due_.no_later_than(now + store::kTryAgain);
    return;
  }
  unsettled_.insert(unsettled_.end(), jobs.begin(), jobs.end());
  ends_due_.failed(now);
}

// Some of the jobs may have waiters, and some of these may have ended. The commit is flushed before
// it becomes visible, and stands in the WAL behind each end that was seen. So no job starts before
// the ends that it waited for are durable. A session may change a waiter in a transaction that
// stays open. Such a waiter is left for the next try, and keeps no other one from its start.
bool Dependencies::settle(const std::vector<std::int64_t>& jobs, Mover& mover) {
  std::optional<TimestampTz> due;
  std::vector<std::int64_t> left;
  const bool settled =
      try_change("jobs that wait for others cannot be released now", [&](pg::Spi& spi) {
        const store::queue::JobEnds ends =
            store::queue::find_ends(spi, store::queue::awaited_of(spi, jobs));
        if (ends.completed.empty() && ends.stopped.empty()) return;
        std::vector<std::int64_t> all = ends.completed;
        all.insert(all.end(), ends.stopped.begin(), ends.stopped.end());
        const std::vector<std::int64_t> busy = store::queue::lock_waiters(spi, all);
        if (!ends.completed.empty()) {
          const std::vector<std::int64_t> free =
              store::queue::end_predecessors(spi, ends.completed, busy);
          if (!free.empty()) due = store::queue::earliest_run(spi, free);
        }
        for (const std::int64_t waiter : store::queue::waiters_of(spi, ends.stopped, busy))
          cancel(spi, waiter);
        if (!busy.empty()) left = store::queue::awaited_of(spi, all);
      });
  if (!settled) return false;
  unsettled_.insert(unsettled_.end(), left.begin(), left.end());
  std::sort(unsettled_.begin(), unsettled_.end());
  unsettled_.erase(std::unique(unsettled_.begin(), unsettled_.end()), unsettled_.end());
  if (due) mover.expect(*due);
  return true;
}

}  // namespace metrics_refresh::queue
