// Dead and canceled jobs: queue_stopped. Rows are added by stop() (ended.hpp).
//
// All functions REQUIRE: inside extension::as_extension(), whose Spi they get. The values of their
// jobs are valid until it ends.
#pragma once

#include <vector>

#include "pg/spi.hpp"
#include "store/queue/ended.hpp"

namespace metrics_refresh::store::queue {

struct StoppedJob {
  Job job;
  StopStatus status = StopStatus::kDead;
};

/// Takes a job out, so that it can be appended to queue_hot again with next_version(). Returns
/// nothing if it is not there (any more), or if another transaction has locked its row.
std::optional<StoppedJob> take_stopped(pg::Spi& spi, JobNumber id);
/// Takes up to `most` dead jobs of these types out, by ascending number after `after`. Rows that
/// are locked are skipped.
std::vector<Job> take_dead(pg::Spi& spi, const std::vector<std::int64_t>& types, JobNumber after,
                           std::size_t most);
struct StoppedCount {
  TypeId type = 0;
  std::int64_t dead = 0;
  std::int64_t canceled = 0;
};
/// Removes up to `most` jobs of these types that stopped before that time, by ascending number
/// after `cursor`, which it advances; of both kinds if `status` is nothing. Rows that are locked
/// are skipped. Returns how many were removed, by type.
std::vector<StoppedCount> purge_stopped(pg::Spi& spi, const std::vector<std::int64_t>& types,
                                        TimestampTz stopped_before,
                                        std::optional<StopStatus> status, JobNumber& cursor,
                                        std::size_t most);

/// All of them, by type, with the active snapshot. Reads the whole table: only for the live counts.
std::vector<StoppedCount> count_stopped(pg::Spi& spi);

/// The reason of jobs that are dead because the server crashed while they ran begins with this.
inline constexpr char kCrashReason[] = "the server crashed while the job ran";
/// Those jobs by type. An index has them alone.
struct DeadByCrash {
  TypeId type = 0;
  std::int64_t jobs = 0;
  JobNumber first = 0;
};
std::vector<DeadByCrash> dead_by_crash(pg::Spi& spi);

}  // namespace metrics_refresh::store::queue
