#include "pg/row_reader.hpp"

#include "pg/compat_execution.hpp"

namespace metrics_refresh::pg {
namespace {

// True if the file has the block. The number of blocks that the process has seen last is a lower
// bound: a file is only made shorter under an exclusive lock, and a message forgets the number
// then.
bool has_block(Relation table, BlockNumber block) {
  const BlockNumber seen = RelationGetSmgr(table)->smgr_cached_nblocks[MAIN_FORKNUM];
  if (seen != InvalidBlockNumber && block < seen) return true;
  return block < RelationGetNumberOfBlocks(table);
}

RegProcedure int8_comparison(StrategyNumber strategy) {
  switch (strategy) {
    case BTGreaterStrategyNumber:
      return F_INT8GT;
    case BTLessEqualStrategyNumber:
      return F_INT8LE;
    default:
      return F_INT8EQ;
  }
}

}  // namespace

bool fetch_row(Relation table, ItemPointerData place, Snapshot snapshot, FoundRow* row) {
  if (!has_block(table, ItemPointerGetBlockNumber(&place))) return false;
  row->tuple.t_self = place;
  return heap_fetch(table, snapshot, &row->tuple, &row->buffer, false);
}

void release_row(FoundRow& row) { ReleaseBuffer(row.buffer); }

Datum column_of(const FoundRow& row, Relation table, AttrNumber column) {
  bool is_null;
  HeapTupleData tuple = row.tuple;
  return heap_getattr(&tuple, column, RelationGetDescr(table), &is_null);
}

IndexReader begin_read(Relation table, Relation index, Snapshot snapshot, int keys) {
  return {table, snapshot, begin_index_scan(table, index, snapshot, keys)};
}

void restart_read(IndexReader& reader, ScanKey keys, int count) {
  index_rescan(reader.scan, keys, count, nullptr, 0);
}

bool read_next(IndexReader& reader, FoundRow* row) {
  while (ItemPointer const place = index_getnext_tid(reader.scan, ForwardScanDirection))
    if (fetch_row(reader.table, *place, reader.snapshot, row)) return true;
  return false;
}

void end_read(IndexReader& reader) { index_endscan(reader.scan); }

ScanKeyData int8_key(AttrNumber column, StrategyNumber strategy, int64 value) {
  ScanKeyData key;
  ScanKeyInit(&key, column, strategy, int8_comparison(strategy), Int64GetDatum(value));
  return key;
}

ScanKeyData int2_key(AttrNumber column, int16 value) {
  ScanKeyData key;
  ScanKeyInit(&key, column, BTEqualStrategyNumber, F_INT2EQ, Int16GetDatum(value));
  return key;
}

}  // namespace metrics_refresh::pg
