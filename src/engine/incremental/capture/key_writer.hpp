// Writes keys of changed rows into a delta table. It uses the table access method directly, without
// SQL and without a privilege check. Triggers use it for the rows of a statement, and a refresh
// uses it for the rows of a materialized view that other views read.
//
// A delta table has the captured columns, named k1, k2, ..., and the column `whole`. It is true in
// a row that stands for a change of any row.
#pragma once

#include "engine/diff/seen_rows.hpp"

namespace metrics_refresh::engine {

/// If a statement or refresh changes more distinct keys than this, it counts as a change of the
/// whole table.
inline constexpr int64 kMaxCaptured = 100'000;

/// REQUIRES: inside pg::call(); the memory context of open() must
/// live as long as the object.
class KeyWriter {
 public:
  /// Opens the delta table for rows of `base`; `columns` are `count` names. Returns false if the
  /// table does not exist: nothing can be written, and the next refresh detects that. If the table
  /// does not fit the columns, writes `whole` instead of keys.
  bool open(Relation base, const char* delta, char** columns, int count);

  /// `only_row` promises that no other row follows, so duplicates need not be detected.
  void put(TupleTableSlot* row, bool only_row = false);
  void put_whole();
  void close();

 private:
  bool find_columns(Relation base, char** names);

  Relation delta_ = nullptr;
  int count_ = 0;
  AttrNumber* from_ = nullptr;
  AttrNumber* to_ = nullptr;  // 1, 2, …
  TupleTableSlot* key_ = nullptr;
  SeenRows seen_;
  bool detects_duplicates_ = false;
  bool is_whole_ = false;  // all rows count as changed; ignore further keys
};

}  // namespace metrics_refresh::engine
