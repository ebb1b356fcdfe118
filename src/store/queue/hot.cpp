#include "store/queue/hot.hpp"

#include "pg/append_rows.hpp"
#include "pg/guard.hpp"
#include "store/queue/columns.hpp"
#include "store/queue/hot_reader.hpp"
#include "store/queue/tables.hpp"

// A job is found by the place in its hint: one page access, and one probe of the end marks, which
// finds nothing as a rule. A place may be of an earlier version, or of an earlier life of the
// segment. So the number in the row decides, and otherwise the index on the number is searched.

namespace metrics_refresh::store::queue {
namespace {

ItemPointerData to_pointer(const Tid& tid) {
  ItemPointerData pointer;
  ItemPointerSet(&pointer, tid.block, tid.offset);
  return pointer;
}

// Reads the row that was found, if it is the job and has no end mark.
bool accept(HotReader& reader, JobNumber id, pg::FoundRow& row, Job* job) {
  const JobNumber found = id_of(reader, row);
  const std::int16_t version = version_of(reader, row);
  if (found == id && !has_ended(reader, id, version)) {
    *job = copied_job(reader, row);
    return true;
  }
  pg::release_row(row);
  return false;
}

bool read_by_id(HotReader& reader, JobNumber id, Job* job) {
  pg::IndexReader& rows = by_id(reader, 1);
  ScanKeyData key = pg::int8_key(1, BTEqualStrategyNumber, id);
  pg::restart_read(rows, &key, 1);
  pg::FoundRow row;
  while (pg::read_next(rows, &row))
    if (accept(reader, id, row, job)) return true;
  return false;
}

bool read_one(HotReader& reader, const Place& place, Job* job) {
  pg::FoundRow row;
  if (place.tid.offset != 0 &&
      pg::fetch_row(reader.hot, to_pointer(place.tid), reader.snapshot, &row) &&
      accept(reader, place.id, row, job))
    return true;
  return read_by_id(reader, place.id, job);
}

}  // namespace

void lock_segment(std::uint8_t segment) {
  pg::call([segment] {
    Relation const hot = open_queue_table(tables().hot[segment], RowExclusiveLock);
    table_close(hot, NoLock);
  });
}

void unlock_segment(std::uint8_t segment) {
  pg::call([segment] { UnlockRelationOid(tables().hot[segment], RowExclusiveLock); });
}

void append_jobs(std::uint8_t segment, Job* jobs, std::size_t count) {
  pg::call([=] {
    pg::Appender hot;
    open_queue_appender(&hot, tables().hot[segment]);
    pg::append_all(
        hot, count,
        [=](std::size_t i, Datum* values, bool* nulls) { fill_columns(jobs[i], values, nulls); },
        [=](std::size_t i, const ItemPointerData& place) {
          jobs[i].segment = segment;
          jobs[i].tid = to_tid(place);
        });
    pg::close_appender(hot);
  });
}

std::size_t read_jobs(const Place* places, std::size_t count, Snapshot snapshot, Job* jobs) {
  return pg::call([=]() -> std::size_t {
    HotReader reader;
    std::size_t found = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (i == 0 || places[i].segment != reader.segment) {
        if (i > 0) close_reader(reader);
        open_reader(&reader, places[i].segment, snapshot);
      }
      if (read_one(reader, places[i], &jobs[found])) ++found;
    }
    if (count > 0) close_reader(reader);
    return found;
  });
}

std::optional<Job> read_job(const Place& place, Snapshot snapshot) {
  Job job;
  if (read_jobs(&place, 1, snapshot, &job) == 0) return std::nullopt;
  return job;
}

std::int64_t segment_bytes(std::uint8_t segment) {
  return pg::call([segment]() -> std::int64_t {
    Relation const hot = open_queue_table(tables().hot[segment], AccessShareLock);
    const std::int64_t blocks = RelationGetNumberOfBlocks(hot);
    table_close(hot, AccessShareLock);
    return blocks * BLCKSZ;
  });
}

}  // namespace metrics_refresh::store::queue
