// The ring of the children of queue_hot, as the scheduler turns it: free → current → sealed → free.
// Each function is a step of one transaction of the scheduler. Shared memory learns the new state
// between the step and the commit (shmem/queue).
//
// Functions with an Spi REQUIRE: inside extension::as_extension().
#pragma once

#include <vector>

#include "pg/spi.hpp"
#include "store/queue/hot.hpp"

namespace metrics_refresh::store::queue {

struct Segment {
  enum class State { kFree, kCurrent, kSealed };
  std::uint8_t number = 0;
  State state = State::kFree;
  std::optional<TimestampTz> opened_at, sealed_at;
};

/// All segments, by number. One of them is current.
std::vector<Segment> read_segments(pg::Spi& spi);

/// Makes a free segment the current one, and seals the one that was. After the commit, shared
/// memory names the new one; until then new jobs go to the old one, and after that too if their
/// transaction has locked it before.
void open_segment(pg::Spi& spi, std::uint8_t next, TimestampTz now);

enum class Emptied {
  kEmptied,  // the segment is free if this transaction commits
  kInUse,    // a session has a lock, so nothing was done; try again later
  kNotEnded  // jobs of it have not ended
};

/// Empties a sealed segment if all its jobs have ended: takes its locks without waiting, compares
/// the numbers of rows and end marks with a new snapshot, and truncates below utility processing.
/// Readers of several tables count truncations: increment the count in shared memory before the
/// commit. After kInUse and kNotEnded, end the transaction soon: locks may be held.
Emptied empty_segment(pg::Spi& spi, std::uint8_t segment);

/// Appends new versions of jobs of `from` to the current segment, and ends the old ones. Jobs that
/// have ended meanwhile are left out. Returns those that were moved, with their new places.
/// REQUIRES: the caller holds these jobs (core/queue), and has locked the segment `to`, which no
/// place is in.
std::vector<Unended> copy_forward(const Place* places, std::size_t count, std::uint8_t to,
                                  Snapshot snapshot);

struct BlockingSession {
  int pid = 0;  // 0: a prepared transaction
  std::optional<TimestampTz> since;
};
/// The oldest transaction that has a lock on a segment and keeps it from being emptied.
std::optional<BlockingSession> blocking_session(pg::Spi& spi, std::uint8_t segment);

}  // namespace metrics_refresh::store::queue
