// Reads single rows of a heap by their place or through an index, without SPI and without slots.
// For tables whose rows are never updated: an index entry leads to its row itself.
//
// REQUIRES for all functions: inside pg::call().
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::pg {

/// A visible row. The page is pinned until release_row().
struct FoundRow {
  HeapTupleData tuple;
  Buffer buffer;
};

/// Finds the row at a place that is only supposed to have one. Returns false if it has no row, or
/// none that is visible to the snapshot.
bool fetch_row(Relation table, ItemPointerData place, Snapshot snapshot, FoundRow* row);
void release_row(FoundRow& row);

/// The value of a column that is not NULL, by its number from 1.
Datum column_of(const FoundRow& row, Relation table, AttrNumber column);

/// A scan of an index in its order, for rows that are visible to the snapshot. The indexes and the
/// table are open, with a lock.
struct IndexReader {
  Relation table;
  Snapshot snapshot;
  IndexScanDesc scan;
};

IndexReader begin_read(Relation table, Relation index, Snapshot snapshot, int keys);
/// Starts from the first row that fulfills the keys. REQUIRES: `count` is the number that
/// begin_read() got.
void restart_read(IndexReader& reader, ScanKey keys, int count);
bool read_next(IndexReader& reader, FoundRow* row);
void end_read(IndexReader& reader);

/// Conditions for an index column, by its number from 1.
ScanKeyData int8_key(AttrNumber column, StrategyNumber strategy, int64 value);
ScanKeyData int2_key(AttrNumber column, int16 value);

}  // namespace metrics_refresh::pg
