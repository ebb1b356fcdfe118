// Appends rows to a heap below the executor: no trigger, default, constraint or policy takes part,
// only the indexes do. It costs a fraction of an INSERT, and runs no code of a user.
//
// REQUIRES for all functions: inside pg::call().
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::pg {

/// A heap with its indexes, open for appending. Plain data: after an error, the abort of the
/// transaction closes it.
struct Appender {
  static constexpr int kMostIndexes = 6;
  struct Index {
    Relation relation;
    IndexInfo* info;  // null until an entry is written
    bool is_partial;
  };

  Relation table;
  CommandId command;
  int index_count;
  Index indexes[kMostIndexes];
};

/// Locks the table for writing and opens it with its indexes. Returns false if it does not exist.
/// REQUIRES: its access method is heap. An index has no expressions. A partial index has the
/// condition that its first column is not NULL.
bool open_appender(Appender* appender, Oid table);

/// Appends one row and its index entries. Raises 23505 for a unique index. Returns its place.
ItemPointerData append_row(Appender& appender, Datum* values, bool* nulls);

/// Rows for append_rows(), at most kMostRows at a time.
struct RowBatch {
  static constexpr int kMostRows = 256;
  TupleTableSlot* slots[kMostRows];
  int slot_count;  // made so far
  int count;       // in use
};

/// Returns a slot for the next row, to be filled and stored with ExecStoreVirtualTuple().
/// REQUIRES: count < kMostRows.
TupleTableSlot* next_row(const Appender& appender, RowBatch& batch);

/// Appends all rows of the batch with one WAL record a page, and then their index entries. The
/// slots have the places (tts_tid) until clear_rows().
void append_rows(Appender& appender, RowBatch& batch);
void clear_rows(RowBatch& batch);
void drop_rows(RowBatch& batch);

/// Closes the table. Its lock stays until the transaction ends.
void close_appender(Appender& appender);

}  // namespace metrics_refresh::pg
