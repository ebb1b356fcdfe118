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
  static constexpr int kMostIndexes = 16;  // REINDEX CONCURRENTLY makes another one of each
  struct Index {
    Relation relation;
    IndexInfo* info;  // null until an entry is written
    bool is_partial;
  };

  Relation table;
  CommandId command;
  int index_count;
  Index indexes[kMostIndexes];
  EState* executor;     // null until a condition of an index is evaluated
  TupleTableSlot* row;  // for that
};

/// Locks the table for writing and opens it with its indexes. Returns false if it does not exist.
/// REQUIRES: its access method is heap. An index has no expressions. A row whose first column of a
/// partial index is NULL does not meet the condition of that index.
bool open_appender(Appender* appender, Oid table);

/// Appends one row and its index entries. Raises 23505 for a unique index. Returns its place.
ItemPointerData append_row(Appender& appender, Datum* values, bool* nulls);

/// Rows that are appended together, at most kMostRows at a time. Begin with RowBatch{}.
struct RowBatch {
  static constexpr int kMostRows = 256;
  TupleTableSlot* slots[kMostRows];
  int slot_count;        // made so far
  int count;             // in use
  MemoryContext memory;  // for work on one batch
};

/// Returns a slot for the next row. Its values and NULLs are to be filled before the next call
/// here. REQUIRES: count < kMostRows.
TupleTableSlot* next_row(const Appender& appender, RowBatch& batch);

/// Appends all rows of the batch with one WAL record a page, and then their index entries. After
/// that the slots have the places (tts_tid), until clear_rows().
void append_rows(Appender& appender, RowBatch& batch);
void clear_rows(RowBatch& batch);
void drop_rows(RowBatch& batch);

/// Appends `count` rows. `fill(i, values, nulls)` gives the columns of row i, and `placed(i,
/// place)` gets its place. Several rows are appended in batches.
template <typename Fill, typename Placed>
void append_all(Appender& appender, std::size_t count, Fill&& fill, Placed&& placed);

/// Closes the table. Its lock stays until the transaction ends.
void close_appender(Appender& appender);

template <typename Fill, typename Placed>
void append_all(Appender& appender, std::size_t count, Fill&& fill, Placed&& placed) {
  if (count == 1) {
    constexpr int kMostColumns = 32;
    if (RelationGetDescr(appender.table)->natts > kMostColumns)
      elog(ERROR, "too many columns in \"%s\"", RelationGetRelationName(appender.table));
    Datum values[kMostColumns];
    bool nulls[kMostColumns];
    fill(std::size_t{0}, values, nulls);
    placed(std::size_t{0}, append_row(appender, values, nulls));
    return;
  }
  RowBatch batch = {};
  for (std::size_t done = 0; done < count;) {
    CHECK_FOR_INTERRUPTS();
    for (std::size_t i = done; i < count && batch.count < RowBatch::kMostRows; ++i) {
      TupleTableSlot* const row = next_row(appender, batch);
      fill(i, row->tts_values, row->tts_isnull);
    }
    append_rows(appender, batch);
    for (int i = 0; i < batch.count; ++i) placed(done++, batch.slots[i]->tts_tid);
    clear_rows(batch);
  }
  drop_rows(batch);
}

}  // namespace metrics_refresh::pg
