// A growing set of rows, stored as hashes in the memory context that was current at init(). The
// caller must limit its size.
#pragma once

#include "engine/diff/row_hasher.hpp"

namespace metrics_refresh::engine {

class SeenRows {
 public:
  void init() {
    context_ = CurrentMemoryContext;
    row_context_ = AllocSetContextCreate(context_, "metrics_refresh row", ALLOCSET_SMALL_SIZES);
    hasher_.init();
    table_ = make(kSmall);
  }

  /// Adds the row with the values of these columns, in ascending order. Returns false if it was
  /// there.
  bool add(TupleTableSlot* slot, const AttrNumber* columns, int count) {
    const core::RowHash hash = hash_of(slot, columns, count);
    if (table_.has(hash)) return false;
    if (!table_.has_room()) grow();
    (void)table_.put(hash, 0);
    ++count_;
    return true;
  }

  bool has(TupleTableSlot* slot, const AttrNumber* columns, int count) {
    return table_.has(hash_of(slot, columns, count));
  }

  int64 count() const { return count_; }

 private:
  static constexpr Size kSmall = 64;

  core::RowHash hash_of(TupleTableSlot* slot, const AttrNumber* columns, int count) {
    const MemoryContext before = MemoryContextSwitchTo(row_context_);
    const core::RowHash hash = hasher_.hash(slot, columns, count);
    MemoryContextSwitchTo(before);
    MemoryContextReset(row_context_);
    return hash;
  }
  core::RowTable make(Size slots) {
    return {static_cast<core::RowTable::Slot*>(MemoryContextAllocExtended(
                context_, slots * sizeof(core::RowTable::Slot), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO)),
            slots};
  }
  // The old slots are not freed. They take a third of the memory of the new ones.
  void grow() {
    core::RowTable larger = make(table_.capacity() * 4);
    (void)larger.put_all(table_);
    table_ = larger;
  }

  MemoryContext context_ = nullptr;
  MemoryContext row_context_ = nullptr;
  RowHasher hasher_;
  core::RowTable table_;
  int64 count_ = 0;
};

}  // namespace metrics_refresh::engine
