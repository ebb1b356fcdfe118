#include "store/queue/hot_reader.hpp"

#include "store/queue/tables.hpp"

namespace metrics_refresh::store::queue {

void open_reader(HotReader* reader, std::uint8_t segment, Snapshot snapshot) {
  reader->segment = segment;
  reader->snapshot = snapshot;
  reader->hot = open_queue_table(tables().hot[segment], AccessShareLock);
  reader->ended = open_queue_table(tables().ended[segment], AccessShareLock);
  reader->ended_id = index_open(tables().ended_id[segment], AccessShareLock);
  reader->hot_id = nullptr;
  reader->marks = pg::begin_read(reader->ended, reader->ended_id, snapshot, 2);
}

pg::IndexReader& by_id(HotReader& reader, int keys) {
  if (reader.hot_id == nullptr) {
    reader.hot_id = index_open(tables().hot_id[reader.segment], AccessShareLock);
    reader.numbers = pg::begin_read(reader.hot, reader.hot_id, reader.snapshot, keys);
  }
  return reader.numbers;
}

void close_reader(HotReader& reader) {
  if (reader.hot_id != nullptr) {
    pg::end_read(reader.numbers);
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

JobNumber id_of(const HotReader& reader, const pg::FoundRow& row) {
  return DatumGetInt64(pg::column_of(row, reader.hot, kIdColumn));
}

std::int16_t version_of(const HotReader& reader, const pg::FoundRow& row) {
  return DatumGetInt16(pg::column_of(row, reader.hot, kVersionColumn));
}

Tid to_tid(const ItemPointerData& place) {
  return {ItemPointerGetBlockNumberNoCheck(&place), ItemPointerGetOffsetNumberNoCheck(&place)};
}

}  // namespace metrics_refresh::store::queue
