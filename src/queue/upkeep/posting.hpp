// Transactions of the scheduler that change jobs. Each is short, and tells shared memory its
// changes when it has committed. A signal cannot end the scheduler between the two, so no news is
// lost without the server.
#pragma once

#include <map>
#include <vector>

#include "shmem/queue/holds.hpp"
#include "shmem/queue/post.hpp"
#include "store/own_tables.hpp"
#include "store/queue/job.hpp"

namespace metrics_refresh::queue {

using store::queue::Job;
using store::queue::JobNumber;
using store::queue::TypeId;

/// The job, as it can be claimed. REQUIRES: it is in a segment.
shmem::queue::Jobs claimable(const Job& job);

class Posting {
 public:
  /// The new row of the job in its segment can be claimed after the commit.
  void add_ready(const Job& job);
  /// A row of the segment has been added (1), or ended (-1).
  void count_row(std::uint8_t segment, int difference) { posts_.segments[segment] += difference; }
  /// The job is new.
  void count_new(const Job& job);
  /// The job has ended without success. It was open before.
  void add_dead(const Job& job);
  void add_canceled(const Job& job);
  /// After the news of the commit, these holds are ended.
  void end_holds(std::vector<shmem::queue::HoldEnd> holds) { holds_ = std::move(holds); }
  void lower_later(TimestampTz due) { posts_.later_due = std::min(posts_.later_due, due); }

  /// The transaction is about to commit. From now on nothing interrupts the process.
  void prepare_commit();
  /// It has committed. Posts the news, and lets interrupts in again.
  void post() noexcept;

 private:
  void add_stopped(const Job& job, std::int64_t shmem::queue::Counts::*count);

  std::vector<shmem::queue::Jobs> jobs_;
  std::map<TypeId, shmem::queue::TypeChange> types_;
  std::vector<shmem::queue::TypeChange> changes_;
  std::vector<shmem::queue::BatchCount> batches_;
  std::vector<shmem::queue::Ended> ended_;
  std::vector<shmem::queue::HoldEnd> holds_;
  shmem::queue::Posts posts_;
};

/// kNotFlushed: a crash may undo the transaction, and then it is done again.
enum class Commit { kFlushed, kNotFlushed };

void commit_without_flush();

/// Runs `body(spi, posting)` in a transaction with the rights of the extension, commits, and posts.
/// Returns false after an error, which is in the server log.
template <typename Body>
bool commit_and_post(const char* doing, Commit commit, Body&& body) {
  try {
    Posting posting;
    store::with_own_tables(store::kSchedulerLockTimeout, [&](pg::Spi& spi) {
      if (commit == Commit::kNotFlushed) commit_without_flush();
      body(spi, posting);
      posting.prepare_commit();
    });
    posting.post();
    return true;
  } catch (const std::exception&) {
    (void)store::failed_attempt(doing, nullptr);
    return false;
  }
}

}  // namespace metrics_refresh::queue
