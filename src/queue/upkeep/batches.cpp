#include "queue/upkeep/batches.hpp"

#include <array>
#include <utility>

#include "queue/upkeep/changes.hpp"
#include "shmem/queue/live_counts.hpp"
#include "store/queue/batches.hpp"
#include "store/queue/later.hpp"
#include "store/queue/numbers.hpp"
#include "store/queue/unended.hpp"

namespace metrics_refresh::queue {
namespace {

// Of a step.
constexpr std::size_t kMost = 100;
// Of a step that ends batches one by one, since each failure may take as long as a lock_timeout.
constexpr std::size_t kMostFailures = 3;
// Between the beginnings of two passes.
constexpr core::Duration kPause = std::chrono::milliseconds{200};

Job callback_of(const store::queue::Batch& batch, const JobType* type) {
  Job job;
  job.id = batch.id;
  job.created_at = GetCurrentTimestamp();
  job.type = batch.type;
  job.enqueued_by = batch.enqueued_by;
  if (type != nullptr) job.priority = static_cast<std::int16_t>(type->priority);
  job.payload = batch.payload;
  return job;
}

enum class Ended { kYes, kNo, kLocked };

Ended end_one(pg::Spi& spi, std::int64_t number, const Types& types, bool& is_without_type) {
  const std::optional<store::queue::Batch> known = store::queue::read_batch(spi, number);
  if (!known || known->is_open || store::queue::count_open_jobs(spi, number) > 0) return Ended::kNo;
  const std::optional<store::queue::Batch> batch = store::queue::take_closed_batch(spi, number);
  if (!batch) return Ended::kLocked;
  const JobType* const type = types.find(batch->type);
  Job job = callback_of(*batch, type);
  note_callback(batch->type);
  if (type != nullptr) {
    store::queue::append_and_note(&job, 1);
  } else {
    // The mover gives it up, with the reason.
    job.run_at = job.created_at;
    store::queue::insert_later(&job, 1, 0);
    is_without_type = true;
  }
  return Ended::kYes;
}

}  // namespace

void Batches::work(core::Instant now, const Types& types, Mover& mover) {
  if (ends_due_.take(now)) take_ends(now, types, mover);
  if (pass_due_.take(now)) go_on_with_pass(now, types, mover);
  if (!locked_.empty()) ends_due_.no_later_than(now + store::kTryAgain);
}

void Batches::take_ends(core::Instant now, const Types& types, Mover& mover) {
  unended_.insert(unended_.end(), locked_.begin(), locked_.end());
  locked_.clear();
  std::array<shmem::queue::BatchEnd, kMost> ends;
  const shmem::queue::BatchNews news = shmem::queue::take_batch_ends(ends.data(), kMost);
  for (std::uint32_t i = 0; i < news.count; ++i) unended_.push_back(ends[i].batch);
  wants_pass_ = wants_pass_ || news.all;
  if (wants_pass_ && until_ == 0) pass_due_.no_later_than(std::min(pass_began_, now) + kPause);
  if (!end(unended_, types, mover)) return ends_due_.failed(now);
  ends_due_.succeeded();
  unended_.clear();
  if (news.count == kMost) ends_due_.at_once();
}

// A batch that is made or closed during a pass may be behind it, and then needs another one.
void Batches::go_on_with_pass(core::Instant now, const Types& types, Mover& mover) {
  if (until_ == 0) {
    pass_began_ = now;
    wants_pass_ = false;
  }
  std::vector<std::int64_t> found, ended;
  if (!store::try_with_own_tables("batches of jobs cannot be read now", [&](pg::Spi& spi) {
        found = store::queue::read_batches(spi, until_, kMost);
      }))
    return pass_due_.failed(now);
  // Of a batch whose jobs are known to be open, the end will be told.
  for (const std::int64_t batch : found)
    if (shmem::queue::open_jobs_of_batch(batch).value_or(0) == 0) ended.push_back(batch);
  if (!end(ended, types, mover)) {
    unended_.insert(unended_.end(), ended.begin(), ended.end());
    ends_due_.failed(now);
  }
  pass_due_.succeeded();
  until_ = found.size() < kMost ? 0 : found.back();
  if (until_ != 0) return pass_due_.at_once();
  if (wants_pass_) pass_due_.no_later_than(pass_began_ + kPause);
}

// As in dependencies.cpp, the flushed commit makes the callback follow the ends durably. One batch
// that cannot be ended does not keep others from their ends.
bool Batches::end(std::vector<std::int64_t>& batches, const Types& types, Mover& mover) {
  if (batches.empty() || end_together(batches.data(), batches.size(), types, mover)) return true;
  if (batches.size() == 1) return false;
  std::vector<std::int64_t> failed;
  auto next = batches.begin();
  for (; next != batches.end() && failed.size() < kMostFailures; ++next)
    if (!end_together(&*next, 1, types, mover)) failed.push_back(*next);
  // The next time, those that were not tried come first.
  batches.erase(batches.begin(), next);
  batches.insert(batches.end(), failed.begin(), failed.end());
  return batches.empty();
}

bool Batches::end_together(const std::int64_t* batches, std::size_t count, const Types& types,
                           Mover& mover) {
  std::vector<std::int64_t> ended, locked;
  bool is_without_type = false;
  const bool done = try_change("batches of jobs cannot be ended now", [&](pg::Spi& spi) {
    for (std::size_t i = 0; i < count; ++i) {
      const Ended has_ended = end_one(spi, batches[i], types, is_without_type);
      if (has_ended == Ended::kYes) ended.push_back(batches[i]);
      if (has_ended == Ended::kLocked) locked.push_back(batches[i]);
    }
  });
  if (!done) return false;
  locked_.insert(locked.begin(), locked.end());
  for (const std::int64_t number : ended) shmem::queue::forget_batch(number);
  if (is_without_type) mover.expect_all();
  return true;
}

}  // namespace metrics_refresh::queue
