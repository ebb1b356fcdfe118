#include "store/queue/hot.hpp"

#include "pg/append_rows.hpp"
#include "pg/guard.hpp"
#include "pg/row_reader.hpp"
#include "store/queue/columns.hpp"
#include "store/queue/tables.hpp"

// A job is found by the place in its hint: one page access, and one probe of the end marks, which
// finds nothing as a rule. A place may be of an earlier version, or of an earlier life of the
// segment. So the number in the row decides, and otherwise the index on the number is searched.

namespace metrics_refresh::store::queue {
namespace {

constexpr AttrNumber kEndedId = 1, kEndedVersion = 2;  // columns, also of the index
constexpr AttrNumber kIdColumn = kId + 1, kVersionColumn = kVersion + 1;

ItemPointerData to_pointer(const Tid& tid) {
  ItemPointerData pointer;
  ItemPointerSet(&pointer, tid.block, tid.offset);
  return pointer;
}

Tid to_tid(const ItemPointerData& pointer) {
  return {ItemPointerGetBlockNumberNoCheck(&pointer), ItemPointerGetOffsetNumberNoCheck(&pointer)};
}

// A segment that is open for reading.
struct HotReader {
  std::uint8_t segment;
  Snapshot snapshot;
  Relation hot, ended, ended_id;
  Relation hot_id;        // null until it is needed
  pg::IndexReader marks;  // of ended_id
  pg::IndexReader by_id;  // of hot_id
};

void open_reader(HotReader* reader, std::uint8_t segment, Snapshot snapshot) {
  reader->segment = segment;
  reader->snapshot = snapshot;
  reader->hot = open_queue_table(tables().hot[segment], AccessShareLock);
  reader->ended = open_queue_table(tables().ended[segment], AccessShareLock);
  reader->ended_id = index_open(tables().ended_id[segment], AccessShareLock);
  reader->hot_id = nullptr;
  reader->marks = pg::begin_read(reader->ended, reader->ended_id, snapshot, 2);
}

// `keys` is the number of conditions of each search, the same for all of one reader.
pg::IndexReader& by_id(HotReader& reader, int keys) {
  if (reader.hot_id == nullptr) {
    reader.hot_id = index_open(tables().hot_id[reader.segment], AccessShareLock);
    reader.by_id = pg::begin_read(reader.hot, reader.hot_id, reader.snapshot, keys);
  }
  return reader.by_id;
}

void close_reader(HotReader& reader) {
  if (reader.hot_id != nullptr) {
    pg::end_read(reader.by_id);
    index_close(reader.hot_id, AccessShareLock);
  }
  pg::end_read(reader.marks);
  index_close(reader.ended_id, AccessShareLock);
  table_close(reader.ended, AccessShareLock);
  table_close(reader.hot, AccessShareLock);
}

bool has_ended(HotReader& reader, JobNumber id, std::int16_t version) {
  ScanKeyData keys[] = {pg::int8_key(kEndedId, BTEqualStrategyNumber, id),
                        pg::int2_key(kEndedVersion, version)};
  pg::restart_read(reader.marks, keys, 2);
  pg::FoundRow mark;
  if (!pg::read_next(reader.marks, &mark)) return false;
  pg::release_row(mark);
  return true;
}

// Copies the row, so that its page is pinned no longer than the look takes.
Job copied_job(const HotReader& reader, pg::FoundRow& row) {
  HeapTuple const copy = heap_copytuple(&row.tuple);
  pg::release_row(row);
  Datum values[kJobColumns];
  bool nulls[kJobColumns];
  heap_deform_tuple(copy, RelationGetDescr(reader.hot), values, nulls);
  Job job = read_columns(values, nulls);
  job.segment = reader.segment;
  job.tid = to_tid(copy->t_self);
  return job;
}

// Reads the row that was found, if it is the job and has no end mark.
bool accept(HotReader& reader, JobNumber id, pg::FoundRow& row, Job* job) {
  const JobNumber found = DatumGetInt64(pg::column_of(row, reader.hot, kIdColumn));
  const std::int16_t version = DatumGetInt16(pg::column_of(row, reader.hot, kVersionColumn));
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

// The versions of one job that have an end mark, while marks are read in the order of numbers.
struct MarkGroup {
  pg::IndexReader marks;
  Relation ended;
  JobNumber id;       // of the versions
  JobNumber next_id;  // of the mark that was read last, 0 if there is none
  std::int16_t next_version;
  int count, room;
  std::int16_t* versions;
};

void read_mark(MarkGroup& group) {
  pg::FoundRow mark;
  group.next_id = 0;
  if (!pg::read_next(group.marks, &mark)) return;
  group.next_id = DatumGetInt64(pg::column_of(mark, group.ended, kEndedId));
  group.next_version = DatumGetInt16(pg::column_of(mark, group.ended, kEndedVersion));
  pg::release_row(mark);
}

void add_version(MarkGroup& group) {
  if (group.count == group.room) {
    group.room *= 2;
    group.versions = static_cast<std::int16_t*>(
        repalloc(group.versions, sizeof(std::int16_t) * static_cast<Size>(group.room)));
  }
  group.versions[group.count++] = group.next_version;
}

// Goes on to the marks of a job. The numbers must not descend.
void go_to(MarkGroup& group, JobNumber id) {
  if (group.id == id) return;
  group.id = id;
  group.count = 0;
  while (group.next_id != 0 && group.next_id < id) read_mark(group);
  for (; group.next_id == id; read_mark(group)) add_version(group);
}

bool is_marked(const MarkGroup& group, std::int16_t version) {
  for (int i = 0; i < group.count; ++i)
    if (group.versions[i] == version) return true;
  return false;
}

Unended unended_of(const HotReader& reader, const pg::FoundRow& row) {
  Datum values[kJobColumns];
  bool nulls[kJobColumns];
  HeapTupleData tuple = row.tuple;
  heap_deform_tuple(&tuple, RelationGetDescr(reader.hot), values, nulls);
  Unended job;
  job.place = {DatumGetInt64(values[kId]), to_tid(tuple.t_self), reader.segment};
  job.created_at = DatumGetTimestampTz(values[kCreatedAt]);
  if (!nulls[kBatch]) job.batch = DatumGetInt64(values[kBatch]);
  if (!nulls[kKey])
    job.key = key_hash(static_cast<const text*>(static_cast<void*>(DatumGetPointer(values[kKey]))));
  job.type = DatumGetInt32(values[kType]);
  job.priority = DatumGetInt16(values[kPriority]);
  job.version = DatumGetInt16(values[kVersion]);
  job.attempts = DatumGetInt16(values[kAttempts]);
  job.flags = DatumGetInt16(values[kFlags]);
  return job;
}

UnendedRead read_ids(HotReader& reader, MarkGroup& group, JobNumber after, JobNumber last,
                     Unended* jobs, std::size_t most) {
  // A job has several rows here if it came back. They stay together in one read.
  constexpr std::size_t kMostRows = 50'000;
  UnendedRead result;
  result.until = after;
  pg::FoundRow row;
  for (std::size_t rows = 0; pg::read_next(reader.by_id, &row); ++rows) {
    CHECK_FOR_INTERRUPTS();
    const JobNumber id = DatumGetInt64(pg::column_of(row, reader.hot, kIdColumn));
    const bool is_full = result.count == most || rows >= kMostRows;
    if (is_full && id != result.until) {
      pg::release_row(row);
      return result;
    }
    go_to(group, id);
    if (!is_marked(group, DatumGetInt16(pg::column_of(row, reader.hot, kVersionColumn))) &&
        result.count < most)
      jobs[result.count++] = unended_of(reader, row);
    pg::release_row(row);
    result.until = id;
  }
  result.until = last;
  return result;
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

UnendedRead read_unended(std::uint8_t segment, JobNumber after, JobNumber last, Snapshot snapshot,
                         Unended* jobs, std::size_t most) {
  return pg::call([=] {
    HotReader reader;
    open_reader(&reader, segment, snapshot);
    ScanKeyData keys[] = {pg::int8_key(1, BTGreaterStrategyNumber, after),
                          pg::int8_key(1, BTLessEqualStrategyNumber, last)};
    pg::restart_read(by_id(reader, 2), keys, 2);
    pg::restart_read(reader.marks, keys, 2);
    MarkGroup group = {};
    group.marks = reader.marks;
    group.ended = reader.ended;
    group.room = 16;
    group.versions =
        static_cast<std::int16_t*>(palloc(sizeof(std::int16_t) * static_cast<Size>(group.room)));
    read_mark(group);
    const UnendedRead result = read_ids(reader, group, after, last, jobs, most);
    pfree(group.versions);
    close_reader(reader);
    return result;
  });
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
