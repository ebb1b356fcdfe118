#include "queue/upkeep/posting.hpp"

#include <utility>

namespace metrics_refresh::queue {

shmem::queue::Jobs claimable(const Job& job) {
  shmem::queue::Jobs jobs;
  jobs.type = job.type;
  jobs.key = store::queue::key_hash(job.key);
  jobs.priority = job.priority;
  jobs.segment = job.segment;
  jobs.first = jobs.last = job.id;
  jobs.tid = job.tid;
  return jobs;
}

void Posting::add_ready(const Job& job) { jobs_.push_back(claimable(job)); }

void Posting::count_new(const Job& job) {
  ++types_[job.type].counts.open;
  if (job.batch) batches_.push_back({*job.batch, 1});
}

void Posting::add_stopped(const Job& job, std::int64_t shmem::queue::Counts::*count) {
  shmem::queue::Counts& counts = types_[job.type].counts;
  --counts.open;
  if (job.has(store::queue::kHasFailed)) --counts.failed;
  ++(counts.*count);
  ended_.push_back({job.id, job.batch.value_or(0)});
}

void Posting::add_dead(const Job& job) {
  add_stopped(job, &shmem::queue::Counts::dead);
  ++types_[job.type].ends.dead;
}

void Posting::add_canceled(const Job& job) {
  add_stopped(job, &shmem::queue::Counts::canceled);
  ++types_[job.type].ends.canceled;
}

// An error in the commit lets interrupts in again, as every error does.
void Posting::prepare_commit() {
  for (auto& [type, change] : types_) {
    change.type = type;
    changes_.push_back(change);
  }
  posts_.transaction = U64FromFullTransactionId(GetTopFullTransactionIdIfAny());
  HOLD_INTERRUPTS();
}

void Posting::post() noexcept {
  posts_.lsn = XactLastCommitEnd;
  posts_.jobs = jobs_.data();
  posts_.job_count = static_cast<std::uint32_t>(jobs_.size());
  posts_.types = changes_.data();
  posts_.type_count = static_cast<std::uint32_t>(changes_.size());
  posts_.batches = batches_.data();
  posts_.batch_count = static_cast<std::uint32_t>(batches_.size());
  posts_.ended = ended_.data();
  posts_.ended_count = static_cast<std::uint32_t>(ended_.size());
  shmem::queue::post(posts_);
  shmem::queue::end_holds(holds_.data(), static_cast<std::uint32_t>(holds_.size()));
  RESUME_INTERRUPTS();
}

void commit_without_flush() {
  pg::call([] {
    (void)set_config_option("synchronous_commit", "off", PGC_USERSET, PGC_S_SESSION,
                            GUC_ACTION_LOCAL, true, 0, false);
  });
}

}  // namespace metrics_refresh::queue
