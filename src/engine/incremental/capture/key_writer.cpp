#include "engine/incremental/capture/key_writer.hpp"

#include "engine/incremental/capture/delta.hpp"
#include "extension/own_schema.hpp"

// A writer runs in the session of a user who changes a table, with that user's rights. It must be
// fast, and it must not fail for a reason that the user cannot understand. So it opens the delta
// table by name, without a privilege check, and inserts rows directly. If the delta table does not
// fit any more, one row with `whole` replaces all keys, and the next refresh compares all rows.

namespace metrics_refresh::engine {

// Maps the captured columns to columns of the delta table. Returns false if the delta table does
// not fit: a captured column may have been dropped, renamed or altered since the table was made.
bool KeyWriter::find_columns(Relation base, char** names) {
  TupleDesc const row_type = RelationGetDescr(base);
  TupleDesc const key_type = RelationGetDescr(delta_);
  if (key_type->natts != count_ + 1) return false;
  from_ = static_cast<AttrNumber*>(palloc(sizeof(AttrNumber) * static_cast<Size>(count_ + 1)));
  to_ = static_cast<AttrNumber*>(palloc(sizeof(AttrNumber) * static_cast<Size>(count_ + 1)));
  for (int i = 0; i < count_; ++i) {
    from_[i] = get_attnum(RelationGetRelid(base), names[i]);
    to_[i] = static_cast<AttrNumber>(i + 1);
    if (from_[i] <= 0) return false;
    const Oid type = getBaseType(TupleDescAttr(row_type, from_[i] - 1)->atttypid);
    if (type != TupleDescAttr(key_type, i)->atttypid) return false;
  }
  return true;
}

bool KeyWriter::open(Relation base, const char* delta, char** columns, int count) {
  // A user can create a trigger with this function and any arguments. Only delta tables may be
  // written.
  if (!is_delta_name(delta)) return false;
  // A concurrent DROP is possible: it does not lock the tables that the view reads.
  delta_ = extension::open_own_table(delta, RowExclusiveLock);
  if (delta_ == nullptr) return false;
  count_ = count;
  key_ = table_slot_create(delta_, nullptr);
  if (!find_columns(base, columns)) put_whole();
  return true;
}

void KeyWriter::put(TupleTableSlot* row, bool only_row) {
  if (is_whole_) return;
  ExecClearTuple(key_);
  for (int i = 0; i < count_; ++i)
    key_->tts_values[i] = slot_getattr(row, from_[i], &key_->tts_isnull[i]);
  key_->tts_isnull[count_] = true;
  // The last column, `whole`, is NULL in a row that contains a key.
  ExecStoreVirtualTuple(key_);
  // With a single row there are no duplicates, so no set is created. Many statements change one
  // row.
  if (!only_row) {
    if (!detects_duplicates_) seen_.init();
    detects_duplicates_ = true;
    if (!seen_.add(key_, to_, count_)) return;
    if (seen_.count() > kMaxCaptured) return put_whole();
  }
  table_tuple_insert(delta_, key_, GetCurrentCommandId(true), 0, nullptr);
}

void KeyWriter::put_whole() {
  if (is_whole_) return;
  is_whole_ = true;
  const int last = RelationGetDescr(delta_)->natts - 1;
  // The keys that were already written stay. The refresh ignores them once it reads `whole`.
  ExecStoreAllNullTuple(key_);
  key_->tts_values[last] = BoolGetDatum(true);
  key_->tts_isnull[last] = false;
  table_tuple_insert(delta_, key_, GetCurrentCommandId(true), 0, nullptr);
}

void KeyWriter::close() {
  ExecDropSingleTupleTableSlot(key_);
  table_close(delta_, NoLock);
}

}  // namespace metrics_refresh::engine
