// Finds the rows that only the view has, and the rows that only its definition has. All rows of the
// view are added first, then all rows of the definition, each in any order. Duplicates are counted.
//
// The view's rows are stored as hashes in a table of at most work_mem * hash_mem_multiplier.
// Further rows go to temporary files, divided by their hash as in a hash join. A row of the
// definition goes there too if a row of the view in the files may be equal to it. Old rows are read
// back in batches that fit into the table, and each batch is compared with all new rows of its
// partition. So the result is correct and the memory is bounded for any distribution of hashes.
//
// Plain data in the server's memory: the functions may raise errors, so call them inside
// pg::call().
#pragma once

#include "engine/diff/row_hasher.hpp"

namespace metrics_refresh::engine {

/// Converts a row's ctid into a number below 2^48 with the same order, and back.
core::RowLocation to_place(const ItemPointerData& tid);
ItemPointerData to_tid(core::RowLocation place);

/// Returns an empty table for this number of rows, or for as many as work_mem * hash_mem_multiplier
/// allows. It is allocated in the current context.
core::RowTable make_table(double rows);

/// REQUIRES: the memory context of init() must live as long as the object.
class RowMatcher {
 public:
  /// `expected` is the estimated number of rows in the view. It affects the use of memory, not the
  /// result.
  void init(TupleDesc row, double expected);

  void add_old(TupleTableSlot* slot);
  void add_new(TupleTableSlot* slot);

  /// Called after the last row. Compares the rows in files, and frees memory.
  void finish();

  /// Returns whether rows were written to temporary files.
  bool has_files() const { return partition_count_ > 1 || partitions_[0].old_count > 0; }

  int64 old_rows() const { return old_rows_; }
  int64 new_rows() const { return new_rows_; }
  int64 only_old_rows() const { return only_old_rows_; }
  int64 only_new_rows() const { return only_new_rows_; }

  /// After finish(): the places of rows that only the view has, as sorted int8 values. They can be
  /// read once.
  Tuplesortstate* only_old() const { return only_old_; }
  /// After finish(): the rows that only the definition has. They can be read several times.
  Tuplestorestate* only_new() const { return only_new_; }

 private:
  static constexpr int kWaiting = 16;

  struct Partition {  // the rows in files with hashes of one partition
    BufFile* old_rows = nullptr;
    BufFile* new_rows = nullptr;
    uint64 old_count = 0;
    uint64 new_count = 0;
  };

  struct OldRow {
    core::RowHash hash;
    core::RowLocation place;
  };

  Partition& partition_of(core::RowHash hash);
  void match_old(const OldRow& row);
  void match_waiting_old();
  void match_waiting_new();
  void match_new(core::RowHash hash, TupleTableSlot* slot);
  bool add_to_table(core::RowHash hash, core::RowLocation place);
  void match_partition(Partition& partition);
  uint64 read_old_rows(Partition& partition, uint64 count);
  void match_new_rows(Partition& partition, uint8* matched, bool last);
  void put_only_old();
  void put_only_new(TupleTableSlot* slot);

  MemoryContext context_ = nullptr;
  MemoryContext table_context_ = nullptr;
  MemoryContext row_context_ = nullptr;  // reset after each row
  RowHasher hasher_;
  core::RowTable table_;
  // Rows that wait until the slots that they need are in the processor's cache.
  OldRow waiting_old_[kWaiting] = {};
  int waiting_old_count_ = 0;
  int oldest_ = 0;
  bool is_new_waiting_ = false;
  core::RowHash waiting_new_hash_ = {};
  RowImage waiting_new_;
  TupleTableSlot* restored_ = nullptr;
  Partition* partitions_ = nullptr;
  uint64 partition_count_ = 0;
  TupleTableSlot* slot_ = nullptr;  // for rows that are read back from a file
  char* buffer_ = nullptr;
  Size buffer_size_ = 0;
  Tuplesortstate* only_old_ = nullptr;
  Tuplestorestate* only_new_ = nullptr;
  int64 old_rows_ = 0;
  int64 new_rows_ = 0;
  int64 only_old_rows_ = 0;
  int64 only_new_rows_ = 0;
};

}  // namespace metrics_refresh::engine
