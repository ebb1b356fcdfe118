// Tells which rows a view has and its definition has not, and the other way round. All of the
// view's rows come first, then the definition's, one after the other, in any order; duplicates
// count.
//
// The view's rows are kept as hashes in a table of at most work_mem × hash_mem_multiplier. What is
// beyond that goes to temporary files, by hash, as in a hash join; so does the definition's row
// that may be equal to such a one. Of the two files of a hash's share, as many old rows as the
// table holds are compared with all new ones at a time, whatever the distribution is: it is never
// wrong, and never takes more memory.
//
// Plain data in the server's memory: its functions may raise errors and are called inside
// pg::call().
#pragma once

#include "engine/diff/row_hasher.hpp"

namespace metrics_refresh::engine {

/// A row's place in the view as a number below 2^48, in the order of places, and back.
core::RowPlace to_place(const ItemPointerData& tid);
ItemPointerData to_tid(core::RowPlace place);

/// An empty table for so many rows, or for as many as work_mem × hash_mem_multiplier allows, in the
/// current context.
core::RowTable make_table(double rows);

/// REQUIRES: value-initialized before init(), and the memory context of init() as long as it is
/// used.
class RowMatcher {
 public:
  /// `expected` rows in the view decide how memory is used, not what comes out.
  void init(TupleDesc row, double expected);

  void add_old(TupleTableSlot* slot);
  void add_new(TupleTableSlot* slot);

  /// No more rows come: what is in files is compared, and memory is given back.
  void finish();

  /// Whether rows went to temporary files.
  bool has_files() const { return share_count_ > 1 || shares_[0].old_count > 0; }

  int64 old_rows() const { return old_rows_; }
  int64 new_rows() const { return new_rows_; }
  int64 only_old_rows() const { return only_old_rows_; }
  int64 only_new_rows() const { return only_new_rows_; }

  /// After finish(): the places of rows that the view alone has, as int8, to be read once and
  /// sorted.
  Tuplesortstate* only_old() const { return only_old_; }
  /// After finish(): the rows that the definition alone has; can be read again.
  Tuplestorestate* only_new() const { return only_new_; }

 private:
  static constexpr int kWaiting = 16;

  struct Share {  // what of the rows is in files, by their hash
    BufFile* old_rows;
    BufFile* new_rows;
    uint64 old_count;
    uint64 new_count;
  };

  struct OldRow {
    core::RowHash hash;
    core::RowPlace place;
  };

  Share& share_of(core::RowHash hash);
  void settle_old(const OldRow& row);
  void settle_waiting_old();
  void settle_waiting_new();
  void settle_new(core::RowHash hash, TupleTableSlot* slot);
  bool keep(core::RowHash hash, core::RowPlace place);
  void match_share(Share& share);
  uint64 read_old_rows(Share& share, uint64 count);
  void match_new_rows(Share& share, bits8* matched, bool last);
  void put_only_old();
  void put_only_new(TupleTableSlot* slot);

  MemoryContext context_;
  MemoryContext table_context_;
  MemoryContext row_context_;  // what looking at one row needs
  RowHasher hasher_;
  core::RowTable table_;
  // Rows wait for their places in the table to come into the cache.
  OldRow waiting_old_[kWaiting];
  int waiting_old_count_;
  int oldest_;
  bool is_new_waiting_;
  core::RowHash waiting_new_hash_;
  RowImage waiting_new_;
  TupleTableSlot* restored_;
  Share* shares_;
  uint64 share_count_;
  TupleTableSlot* slot_;  // for rows that come back from a file
  char* buffer_;
  Size buffer_size_;
  Tuplesortstate* only_old_;
  Tuplestorestate* only_new_;
  int64 old_rows_;
  int64 new_rows_;
  int64 only_old_rows_;
  int64 only_new_rows_;
};

}  // namespace metrics_refresh::engine
