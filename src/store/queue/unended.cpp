#include "store/queue/unended.hpp"

#include "pg/guard.hpp"
#include "store/queue/columns.hpp"
#include "store/queue/hot_reader.hpp"

// Both indexes are read in the order of numbers beside each other, so a job costs no probe. Rows of
// one job, which have different versions, come one after the other.

namespace metrics_refresh::store::queue {
namespace {

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

Unended read_unended_row(const HotReader& reader, const pg::FoundRow& row) {
  Datum values[kJobColumns];
  bool nulls[kJobColumns];
  HeapTupleData tuple = row.tuple;
  heap_deform_tuple(&tuple, RelationGetDescr(reader.hot), values, nulls);
  Unended job;
  job.place = {DatumGetInt64(values[kId]), to_tid(tuple.t_self), reader.segment};
  if (!nulls[kBatch]) job.batch = DatumGetInt64(values[kBatch]);
  if (!nulls[kKey])
    job.key = key_hash(static_cast<const text*>(static_cast<void*>(DatumGetPointer(values[kKey]))));
  job.type = DatumGetInt32(values[kType]);
  job.priority = DatumGetInt16(values[kPriority]);
  job.version = DatumGetInt16(values[kVersion]);
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
  for (std::size_t rows = 0; pg::read_next(reader.numbers, &row); ++rows) {
    CHECK_FOR_INTERRUPTS();
    const JobNumber id = id_of(reader, row);
    const bool is_full = result.count == most || rows >= kMostRows;
    if (is_full && id != result.until) {
      pg::release_row(row);
      return result;
    }
    go_to(group, id);
    if (!is_marked(group, version_of(reader, row)) && result.count < most)
      jobs[result.count++] = read_unended_row(reader, row);
    pg::release_row(row);
    result.until = id;
  }
  result.until = last;
  return result;
}

}  // namespace

Unended unended_of(const Job& job) {
  Unended result;
  result.place = job.place();
  result.batch = job.batch;
  result.key = key_hash(job.key);
  result.type = job.type;
  result.priority = job.priority;
  result.version = job.version;
  result.flags = job.flags;
  return result;
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

}  // namespace metrics_refresh::store::queue
