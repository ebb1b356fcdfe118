// A small file that names the job of each worker, so that a start of the server after a crash knows
// the jobs that were running. It is written without a flush: the page cache of the system outlives
// every crash that a job can cause. After a loss of power, the file may be older or missing; then
// the jobs of that moment are not known.
//
// The file is in pg_stat_tmp, which base backups leave out. It has 64 bytes for each worker.
#pragma once

#include <vector>

#include "pg/guard.hpp"

namespace metrics_refresh::shmem::queue {

/// A job that a worker is about to perform. Or a group whose handlers have returned: its deferred
/// triggers run, or it commits.
struct ClaimedJob {
  Oid database = InvalidOid;
  std::int64_t job = 0;      // of a group, any of them
  std::int16_t version = 0;  // of its row
  std::int32_t group = 0;    // the type of the group; 0: no group
};
/// As many as there can be workers (metrics_refresh.max_workers).
inline constexpr int kMostClaimedJobs = 256;

class ClaimsFile {
 public:
  /// Opens the file, and makes it if need be. If that fails, logs it, and nothing is written.
  explicit ClaimsFile(int worker);
  ~ClaimsFile();
  ClaimsFile(const ClaimsFile&) = delete;
  ClaimsFile& operator=(const ClaimsFile&) = delete;

  /// Never raises. The second one says that the worker has no job.
  void write(const ClaimedJob& job) noexcept;
  void clear() noexcept;

 private:
  int file_;
  int worker_;
};

/// The jobs of all workers, as the file has them; none if there is no file. Parts that are damaged
/// are left out.
std::vector<ClaimedJob> read_claims_file();
/// Removes the file. REQUIRES: no worker has it open.
void remove_claims_file();

}  // namespace metrics_refresh::shmem::queue
