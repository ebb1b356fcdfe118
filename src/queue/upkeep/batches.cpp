#include "core/queue/ready_work.hpp"

#include "queue/upkeep/batches.hpp"

#include <array>
#include <utility>

#include "queue/upkeep/changes.hpp"
#include "queue/upkeep/segment.hpp"
#include "store/queue/batches.hpp"
#include "store/queue/hot.hpp"
#include "store/queue/later.hpp"
#include "store/queue/unended.hpp"

namespace metrics_refresh::queue {
namespace {

// Of a step.
constexpr std::size_t kMost = 100;

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

}  // namespace

void Batches::work(core::Instant now, const Types& types, Mover& mover) {
  if (!due_.take(now)) return;
  std::array<shmem::queue::BatchEnd, kMost> ends;
  const shmem::queue::BatchNews news = shmem::queue::take_batch_ends(ends.data(), kMost);
  for (std::uint32_t i = 0; i < news.count; ++i) {
    batches_.push_back(ends[i].batch);
    lsn_ = std::max(lsn_, ends[i].lsn);
  }
  if (news.all) is_complete_ = false, until_ = 0;
  if (!is_complete_ && !read_some()) return due_.failed(now);
  if (!end(batches_, lsn_, types, mover)) return due_.failed(now);
  due_.succeeded();
  batches_.clear();
  if (news.count == kMost || !is_complete_) due_.at_once();
}

// Adds the next batches of a pass over all of them.
bool Batches::read_some() {
  std::vector<std::int64_t> found;
  if (!store::try_with_own_tables("batches of jobs cannot be read now", [&](pg::Spi& spi) {
        found = store::queue::read_batches(spi, until_, kMost);
      }))
    return false;
  batches_.insert(batches_.end(), found.begin(), found.end());
  is_complete_ = found.size() < kMost;
  until_ = is_complete_ ? 0 : found.back();
  return true;
}

bool Batches::end(const std::vector<std::int64_t>& batches, XLogRecPtr lsn, const Types& types,
                  Mover& mover) {
  if (batches.empty()) return true;
  std::vector<std::int64_t> ended;
  bool is_without_type = false;
  const bool done =
      try_change("batches of jobs cannot be ended now", Commit::kNotFlushed, [&](pg::Spi& spi) {
        for (const std::int64_t number : batches) {
          const std::optional<store::queue::Batch> known = store::queue::read_batch(spi, number);
          if (!known || known->is_open || store::queue::count_open_jobs(spi, number) > 0) continue;
          const std::optional<store::queue::Batch> batch =
              store::queue::take_closed_batch(spi, number);
          if (!batch) continue;
          // A callback must not be seen before the ends on which it depends are durable.
          if (lsn != InvalidXLogRecPtr) pg::call([lsn] { XLogFlush(lsn); });
          const JobType* const type = types.find(batch->type);
          Job job = callback_of(*batch, type);
          note_new(store::queue::unended_of(job));
          ended.push_back(number);
          if (type != nullptr) {
            store::queue::append_jobs(lock_current_segment(), &job, 1);
            note_ready(store::queue::unended_of(job));
          } else {
            // The mover gives it up, with the reason.
            job.run_at = job.created_at;
            store::queue::insert_later(&job, 1, 0);
            is_without_type = true;
          }
        }
      });
  if (!done) return false;
  for (const std::int64_t number : ended) shmem::queue::forget_batch(number);
  if (is_without_type) mover.expect_all();
  return true;
}

}  // namespace metrics_refresh::queue
