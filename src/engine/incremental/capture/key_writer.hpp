// Writes keys of changed rows into a delta table, through the table access method, without SQL and
// without asking for a privilege: a trigger's writer, and a refresh's of a materialized view that
// another one is kept by.
//
// A delta table has the captured columns under the names k1, k2 …, and `whole`: true where any row
// may have changed.
#pragma once

#include "engine/diff/seen_rows.hpp"

namespace metrics_refresh::engine {

/// More distinct keys than this of one statement or refresh are not told apart: they count as a
/// change of the whole table.
inline constexpr int64 kMaxCaptured = 100'000;

/// REQUIRES: inside pg::call(); value-initialized before open(), and the memory context of open()
/// as long as it is used.
class KeyWriter {
 public:
  /// Of rows of `base`; `columns` are `count` names. False where there is no such delta table: then
  /// nothing can be written, and whoever refreshes will see it. One that is not as these columns
  /// need it gets `whole`.
  bool open(Relation base, const char* delta, char** columns, int count);

  /// `only_row`: no other row comes, so that none need be remembered.
  void put(TupleTableSlot* row, bool only_row = false);
  void put_whole();
  void close();

 private:
  bool find_columns(Relation base, char** names);

  Relation delta_;
  int count_;
  AttrNumber* from_;
  AttrNumber* to_;  // 1, 2, …
  TupleTableSlot* key_;
  SeenRows seen_;
  bool remembers_;
  bool is_whole_;  // nothing more has to be said
};

}  // namespace metrics_refresh::engine
