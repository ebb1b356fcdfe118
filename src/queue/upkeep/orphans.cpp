#include "queue/upkeep/orphans.hpp"

#include <algorithm>
#include <vector>

#include "queue/upkeep/changes.hpp"
#include "store/queue/ended.hpp"
#include "store/queue/hot.hpp"
#include "store/queue/news.hpp"

namespace metrics_refresh::queue {
namespace {

// Of a step.
constexpr std::size_t kMost = 1000;

// The types of this process may be older than a job, so the table is asked, too.
std::vector<Unended> without_type(pg::Spi& spi, const std::vector<Unended>& jobs,
                                  const Types& types) {
  std::vector<Unended> found;
  std::vector<std::int64_t> numbers;
  for (const Unended& job : jobs) {
    if (types.find(job.type) != nullptr) continue;
    found.push_back(job);
    numbers.push_back(job.type);
  }
  if (found.empty()) return found;
  const std::vector<std::int64_t> existing = store::queue::existing_types(spi, numbers);
  const auto exists = [&existing](const Unended& job) {
    return std::find(existing.begin(), existing.end(), job.type) != existing.end();
  };
  found.erase(std::remove_if(found.begin(), found.end(), exists), found.end());
  return found;
}

// A job is looked at only when it is held, so that it has one end.
void end_held(const std::vector<store::queue::Place>& places) {
  pg::call([] { PushActiveSnapshot(GetLatestSnapshot()); });
  std::vector<Job> jobs(places.size());
  jobs.resize(
      store::queue::read_jobs(places.data(), places.size(), GetActiveSnapshot(), jobs.data()));
  for (const Job& job : jobs) {
    store::queue::stop_without_type(job, GetCurrentTimestamp());
    store::queue::note_marks(job.segment, 1);
    note_dead(store::queue::unended_of(job));
  }
  pg::call([] { PopActiveSnapshot(); });
}

}  // namespace

bool Orphans::work(core::Instant now, const Types& types, std::uint8_t segments) {
  if (!due_.take(now)) return false;
  if (left_ == 0) {
    left_ = segments;
    is_behind_ = false;
  }
  if (left_ != 0 && !end_some(types)) {
    due_.failed(now);
    return false;
  }
  due_.succeeded();
  if (left_ != 0) due_.at_once();
  if (left_ == 0 && is_behind_) due_.no_later_than(now + store::kTryAgain);
  return left_ == 0;
}

bool Orphans::end_some(const Types& types) {
  if ((left_ >> segment_ & 1U) == 0) {
    for (segment_ = 0; (left_ >> segment_ & 1U) == 0;) ++segment_;
    until_ = 0;
  }
  std::vector<Unended> jobs(kMost);
  store::queue::UnendedRead read;
  if (!try_change("jobs without a type cannot be ended now", [&](pg::Spi& spi) {
        read = store::queue::read_unended(segment_, until_, PG_INT64_MAX, GetActiveSnapshot(),
                                          jobs.data(), kMost);
        jobs.resize(read.count);
        jobs = without_type(spi, jobs, types);
        const std::vector<store::queue::Place> held = hold_unclaimed(jobs.data(), jobs.size());
        if (held.size() < jobs.size()) is_behind_ = true;
        if (!held.empty()) end_held(held);
      }))
    return false;
  until_ = read.until;
  if (until_ == PG_INT64_MAX) left_ &= ~(1U << segment_);
  return true;
}

}  // namespace metrics_refresh::queue
