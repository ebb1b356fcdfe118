// A job is held before it is read for the copy, so that nobody starts it meanwhile. Its new row
// gets the next version. If the transaction is rolled back, also because the process is terminated,
// the jobs are given back as they were.
#include "core/queue/ready_work.hpp"

#include "queue/upkeep/stragglers.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "queue/upkeep/posting.hpp"
#include "queue/upkeep/segment.hpp"
#include "store/queue/hot.hpp"
#include "store/queue/segments.hpp"

namespace metrics_refresh::queue {
namespace {

using shmem::queue::HoldEnd;
using store::queue::Unended;

constexpr std::size_t kMost = 1000;

// The jobs that are held now. Plain data, for the callback.
std::array<HoldEnd, kMost> held;
std::uint32_t held_count = 0;

void on_transaction_end(XactEvent event, void*) {
  if (event == XACT_EVENT_ABORT) shmem::queue::end_holds(held.data(), held_count);
  if (event == XACT_EVENT_ABORT || event == XACT_EVENT_COMMIT) held_count = 0;
}

void watch_transactions() {
  static bool is_watching = false;
  if (!std::exchange(is_watching, true))
    pg::call([] { RegisterXactCallback(on_transaction_end, nullptr); });
}

HoldEnd as_it_is(const Unended& job) {
  HoldEnd end;
  end.job.type = job.type;
  end.job.key = job.key;
  end.job.priority = job.priority;
  end.job.segment = job.place.segment;
  end.job.first = end.job.last = job.place.id;
  end.job.tid = job.place.tid;
  end.is_ready = true;
  return end;
}

// Holds those that nobody has.
void hold(const Unended* jobs, std::size_t count) {
  std::array<JobNumber, kMost> numbers;
  std::array<shmem::queue::HoldResult, kMost> results;
  for (std::size_t i = 0; i < count; ++i) numbers[i] = jobs[i].place.id;
  const std::uint32_t tried =
      shmem::queue::hold_many(numbers.data(), static_cast<std::uint32_t>(count), results.data());
  for (std::uint32_t i = 0; i < tried; ++i)
    if (results[i].result == shmem::queue::HoldResult::Result::kHeld)
      held[held_count++] = as_it_is(jobs[i]);
}

// The holds as they end if the transaction commits. Jobs that were not moved had ended before they
// were held.
std::vector<HoldEnd> ends_after_commit(const std::vector<Job>& moved) {
  std::vector<HoldEnd> ends(held.begin(), held.begin() + held_count);
  for (HoldEnd& end : ends) {
    const auto found = std::find_if(moved.begin(), moved.end(),
                                    [&end](const Job& job) { return job.id == end.job.first; });
    end.is_ready = found != moved.end();
    if (end.is_ready)
      end.job = claimable(*found);
    else
      end.job.type = 0;
  }
  return ends;
}

std::vector<Job> copy_held(std::uint8_t from) {
  std::vector<store::queue::Place> places;
  for (std::uint32_t i = 0; i < held_count; ++i)
    places.push_back({held[i].job.first, held[i].job.tid, from});
  const std::uint8_t to = lock_current_segment();
  pg::call([] { PushActiveSnapshot(GetLatestSnapshot()); });
  std::vector<Job> moved =
      store::queue::copy_forward(places.data(), places.size(), to, GetActiveSnapshot());
  pg::call([] { PopActiveSnapshot(); });
  return moved;
}

}  // namespace

Stragglers::Result Stragglers::copy(std::uint8_t segment) {
  watch_transactions();
  if (segment_ != segment) *this = {};
  const auto jobs = std::make_unique<std::array<Unended, kMost>>();
  store::queue::UnendedRead read;
  const bool copied =
      commit_and_post("jobs cannot be copied to another segment now", Commit::kNotFlushed,
                      [&](pg::Spi&, Posting& posting) {
                        read = store::queue::read_unended(segment, until_, PG_INT64_MAX,
                                                          GetActiveSnapshot(), jobs->data(), kMost);
                        if (read.count == 0) return;
                        hold(jobs->data(), read.count);
                        if (held_count == 0) return;
                        const std::vector<Job> moved = copy_held(segment);
                        for (const Job& job : moved) {
                          posting.count_row(segment, -1);
                          posting.count_row(job.segment, 1);
                        }
                        posting.end_holds(ends_after_commit(moved));
                      });
  if (!copied) return Result::kFailed;
  has_seen_ = has_seen_ || read.count > 0;
  until_ = read.until;
  segment_ = segment;
  if (read.until < PG_INT64_MAX) return Result::kMore;
  const bool has_seen = has_seen_;
  *this = {};
  return has_seen ? Result::kEnd : Result::kNone;
}

}  // namespace metrics_refresh::queue
