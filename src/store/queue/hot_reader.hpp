// A segment that is open for reading: the rows of a child of queue_hot beside their end marks.
//
// REQUIRES for all functions: inside pg::call().
#pragma once

#include "pg/row_reader.hpp"
#include "store/queue/columns.hpp"

namespace metrics_refresh::store::queue {

/// Columns by their number from 1, as in a table and in the index of the end marks.
inline constexpr AttrNumber kEndedId = 1, kEndedVersion = 2;
inline constexpr AttrNumber kIdColumn = kId + 1, kVersionColumn = kVersion + 1;

struct HotReader {
  std::uint8_t segment;
  Snapshot snapshot;
  Relation hot, ended, ended_id;
  Relation hot_id;          // null until by_id()
  pg::IndexReader marks;    // of ended_id, by both of its columns
  pg::IndexReader numbers;  // of hot_id
};

void open_reader(HotReader* reader, std::uint8_t segment, Snapshot snapshot);
/// Releases all locks.
void close_reader(HotReader& reader);

/// A scan by number. `keys` is the number of conditions of each search, the same for all of one
/// reader.
pg::IndexReader& by_id(HotReader& reader, int keys);

bool has_ended(HotReader& reader, JobNumber id, std::int16_t version);

JobNumber id_of(const HotReader& reader, const pg::FoundRow& row);
std::int16_t version_of(const HotReader& reader, const pg::FoundRow& row);

/// Copies the row into the current memory context and releases it, so that its page is pinned no
/// longer than the look takes.
Job copied_job(const HotReader& reader, pg::FoundRow& row);

Tid to_tid(const ItemPointerData& place);

}  // namespace metrics_refresh::store::queue
