#include "queue/upkeep/recount.hpp"

#include <map>
#include <vector>

#include "pg/time.hpp"
#include "shmem/queue/live_counts.hpp"
#include "store/own_tables.hpp"
#include "store/queue/job_counts.hpp"
#include "store/queue/stopped.hpp"
#include "store/queue/unended.hpp"

namespace metrics_refresh::queue {
namespace {

constexpr std::size_t kMost = 10'000;
// A transaction of any role can ask for a recount. The pause after one is so many times its
// duration.
constexpr int kPause = 4;

class Counter {
 public:
  void add_segments(std::uint8_t segments, Snapshot snapshot) {
    std::vector<store::queue::Unended> buffer(kMost);
    for (std::uint8_t i = 0; i < shmem::queue::kSegments; ++i) {
      if ((segments >> i & 1) == 0) continue;
      store::queue::UnendedRead read;
      while (read.until < PG_INT64_MAX) {
        read = store::queue::read_unended(i, read.until, PG_INT64_MAX, snapshot, buffer.data(),
                                          buffer.size());
        for (std::size_t job = 0; job < read.count; ++job) add(buffer[job]);
        pg::call([] { CHECK_FOR_INTERRUPTS(); });
      }
    }
  }
  void add_others(pg::Spi& spi) {
    for (const store::queue::LaterJobs& later : store::queue::count_later_jobs(spi)) {
      types_[later.type].open += later.jobs;
      types_[later.type].failed += later.failed;
    }
    for (const store::queue::StoppedCount& stopped : store::queue::count_stopped(spi)) {
      types_[stopped.type].dead += stopped.dead;
      types_[stopped.type].canceled += stopped.canceled;
    }
    for (const store::queue::OpenBatches& open : store::queue::count_batches(spi))
      types_[open.type].batches += open.batches;
    for (const store::queue::LaterJobsOfBatch& later :
         store::queue::count_later_jobs_of_batches(spi))
      batches_[later.batch] += later.jobs;
  }
  shmem::queue::Recount result() const {
    shmem::queue::Recount recount;
    recount.types.assign(types_.begin(), types_.end());
    recount.segments = segments_;
    for (const auto& [batch, open] : batches_) recount.batches.push_back({batch, open});
    return recount;
  }

 private:
  void add(const store::queue::Unended& job) {
    shmem::queue::Counts& counts = types_[job.type];
    ++counts.open;
    if ((job.flags & store::queue::kHasFailed) != 0) ++counts.failed;
    ++segments_.rows[job.place.segment];
    if (job.batch) ++batches_[*job.batch];
  }

  std::map<shmem::queue::TypeId, shmem::queue::Counts> types_;
  shmem::queue::SegmentCounts segments_;
  std::map<std::int64_t, std::int64_t> batches_;
};

// The scheduler has them off, for plans that last. These plans read whole tables.
void allow_sequential_scans() {
  pg::call([] {
    (void)set_config_option("enable_seqscan", "on", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL,
                            true, 0, false);
  });
}

}  // namespace

bool Recount::work(core::Instant now, std::uint8_t segments) {
  if (!due_.take(now)) return false;
  const core::Instant began = pg::now();
  Counter counter;
  const bool counted = store::try_with_own_tables(
      "the jobs of the queue cannot be counted now", [&counter, segments](pg::Spi& spi) {
        allow_sequential_scans();
        // The snapshot is active, so that SQL reads with it, too.
        const Snapshot snapshot = pg::call([] { return shmem::queue::begin_recount(); });
        counter.add_segments(segments, snapshot);
        counter.add_others(spi);
        pg::call([snapshot] {
          PopActiveSnapshot();
          UnregisterSnapshot(snapshot);
        });
      });
  if (!counted) {
    due_.failed(now);
    return false;
  }
  due_.succeeded();
  (void)shmem::queue::end_recount(counter.result());
  const core::Instant ended = pg::now();
  not_before_ = ended + (ended - began) * kPause;
  return true;
}

}  // namespace metrics_refresh::queue
