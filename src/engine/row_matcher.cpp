#include "engine/row_matcher.hpp"

namespace metrics_refresh::engine {
namespace {

// A file has a buffer of 8 kB and another one beside it.
constexpr uint64 kMaxShares = 256;

struct OldRow {
  core::RowHash hash;
  core::RowPlace place;
};

void write(BufFile*& file, MemoryContext context, const void* bytes, Size size) {
  const MemoryContext before = MemoryContextSwitchTo(context);
  if (file == nullptr) {
    PrepareTempTablespaces();
    file = BufFileCreateTemp(false);
  }
  BufFileWrite(file, const_cast<void*>(bytes), size);
  MemoryContextSwitchTo(before);
}

void read(BufFile* file, void* bytes, Size size) {
  if (BufFileRead(file, bytes, size) != size)
    ereport(ERROR, (errcode_for_file_access(), errmsg("could not read from a temporary file")));
}

void rewind(BufFile* file) {
  if (BufFileSeek(file, 0, 0, SEEK_SET) != 0)
    ereport(ERROR, (errcode_for_file_access(), errmsg("could not rewind a temporary file")));
}

core::RowTable make_table_of(Size slots) {
  auto* memory = static_cast<core::RowTable::Slot*>(
      MemoryContextAllocExtended(CurrentMemoryContext, slots * sizeof(core::RowTable::Slot),
                                 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO));
  return {memory, slots};
}

Size slots_within_limit() { return get_hash_memory_limit() / sizeof(core::RowTable::Slot); }

}  // namespace

core::RowPlace to_place(const ItemPointerData& tid) {
  return static_cast<core::RowPlace>(ItemPointerGetBlockNumber(&tid)) << 16 |
         ItemPointerGetOffsetNumber(&tid);
}

ItemPointerData to_tid(core::RowPlace place) {
  ItemPointerData tid;
  ItemPointerSet(&tid, static_cast<BlockNumber>(place >> 16),
                 static_cast<OffsetNumber>(place & 0xFFFF));
  return tid;
}

core::RowTable make_table(double rows) {
  const Size limit = slots_within_limit();
  return make_table_of(rows >= static_cast<double>(limit)
                           ? limit
                           : std::min(limit, core::RowTable::slots_for(static_cast<Size>(rows))));
}

void RowMatcher::init(TupleDesc row, double expected) {
  context_ = CurrentMemoryContext;
  table_context_ =
      AllocSetContextCreate(context_, "metrics_refresh row hashes", ALLOCSET_SMALL_SIZES);
  row_context_ = AllocSetContextCreate(context_, "metrics_refresh row", ALLOCSET_DEFAULT_SIZES);
  hasher_.init();
  slot_ = MakeSingleTupleTableSlot(row, &TTSOpsMinimalTuple);
  only_old_ =
      tuplesort_begin_datum(INT8OID, Int8LessOperator, InvalidOid, false, work_mem, nullptr, 0);
  only_new_ = tuplestore_begin_heap(false, false, work_mem);

  // A little more than is expected, so that a bad guess costs little.
  const double rows = expected * 1.1 + 100;
  const double shares = rows * 8 / 7 / static_cast<double>(slots_within_limit());
  share_count_ = shares <= 1 ? 1 : std::min(kMaxShares, static_cast<uint64>(shares) + 1);
  shares_ = static_cast<Share*>(palloc0(share_count_ * sizeof(Share)));
  MemoryContextSwitchTo(table_context_);
  table_ = make_table(rows);
  MemoryContextSwitchTo(context_);
}

// By the half of the hash that the table does not look at first.
RowMatcher::Share& RowMatcher::share_of(core::RowHash hash) {
  return shares_[core::reduce(hash.low, share_count_)];
}

// Rows of the first share stay in memory while there is room; a table that is too small, since more
// rows came than were expected, is exchanged for a larger one if both fit beside each other.
bool RowMatcher::keep(core::RowHash hash, core::RowPlace place) {
  if (table_.put(hash, place)) return true;
  const Size limit = slots_within_limit();
  const Size larger = std::min(limit - std::min(limit, table_.capacity()), table_.capacity() * 4);
  if (larger <= table_.capacity() + table_.capacity() / 4) return false;
  const MemoryContext old_context = table_context_;
  table_context_ =
      AllocSetContextCreate(context_, "metrics_refresh row hashes", ALLOCSET_SMALL_SIZES);
  const MemoryContext before = MemoryContextSwitchTo(table_context_);
  core::RowTable table = make_table_of(larger);
  MemoryContextSwitchTo(before);
  if (!table.put_all(table_)) elog(ERROR, "a larger table holds less");
  table_ = table;
  MemoryContextDelete(old_context);
  return table_.put(hash, place);
}

void RowMatcher::add_old(TupleTableSlot* slot) {
  const MemoryContext before = MemoryContextSwitchTo(row_context_);
  const OldRow row = {hasher_.hash(slot), to_place(slot->tts_tid)};
  MemoryContextSwitchTo(before);
  MemoryContextReset(row_context_);
  ++old_rows_;
  Share& share = share_of(row.hash);
  if (&share == shares_ && share.old_count == 0 && keep(row.hash, row.place)) return;
  write(share.old_rows, context_, &row, sizeof row);
  ++share.old_count;
}

void RowMatcher::add_new(TupleTableSlot* slot) {
  const MemoryContext before = MemoryContextSwitchTo(row_context_);
  const core::RowHash hash = hasher_.hash(slot);
  ++new_rows_;
  Share& share = share_of(hash);
  if (&share == shares_ && table_.take(hash)) {
  } else if (share.old_count == 0) {
    put_only_new(slot);
  } else {
    bool owned = false;
    MinimalTuple const tuple = ExecFetchSlotMinimalTuple(slot, &owned);
    write(share.new_rows, context_, &hash, sizeof hash);
    write(share.new_rows, context_, tuple, tuple->t_len);  // which begins with its length
    ++share.new_count;
  }
  MemoryContextSwitchTo(before);
  MemoryContextReset(row_context_);
}

void RowMatcher::put_only_new(TupleTableSlot* slot) {
  tuplestore_puttupleslot(only_new_, slot);
  ++only_new_rows_;
}

void RowMatcher::put_only_old() {
  table_.for_each([this](core::RowPlace place) {
    tuplesort_putdatum(only_old_, Int64GetDatum(static_cast<int64>(place)), false);
    ++only_old_rows_;
  });
}

void RowMatcher::finish() {
  put_only_old();
  for (uint64 i = 0; i < share_count_; ++i)
    if (shares_[i].old_count > 0) match_share(shares_[i]);
  MemoryContextDelete(table_context_);
  MemoryContextDelete(row_context_);
  ExecDropSingleTupleTableSlot(slot_);
  tuplesort_performsort(only_old_);
}

void RowMatcher::match_share(Share& share) {
  auto* matched = static_cast<bits8*>(MemoryContextAllocExtended(
      context_, share.new_count / 8 + 1, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO));
  rewind(share.old_rows);
  uint64 unread = share.old_count;
  while (unread > 0) {
    unread -= read_old_rows(share, unread);
    match_new_rows(share, matched, unread == 0);
    put_only_old();
  }
  pfree(matched);
  BufFileClose(share.old_rows);
  if (share.new_rows != nullptr) BufFileClose(share.new_rows);
}

// As many as the table holds within the limit, and at least one.
uint64 RowMatcher::read_old_rows(Share& share, uint64 count) {
  MemoryContextReset(table_context_);
  const MemoryContext before = MemoryContextSwitchTo(table_context_);
  table_ = make_table(static_cast<double>(count));
  MemoryContextSwitchTo(before);
  uint64 rows = 0;
  for (; rows < count && table_.has_room(); ++rows) {
    CHECK_FOR_INTERRUPTS();
    OldRow row;
    read(share.old_rows, &row, sizeof row);
    (void)table_.put(row.hash, row.place);
  }
  return rows;
}

// Those that earlier batches have not matched. What the last one leaves is in the definition alone.
void RowMatcher::match_new_rows(Share& share, bits8* matched, bool last) {
  if (share.new_rows != nullptr) rewind(share.new_rows);
  for (uint64 i = 0; i < share.new_count; ++i) {
    CHECK_FOR_INTERRUPTS();
    core::RowHash hash;
    uint32 size;
    read(share.new_rows, &hash, sizeof hash);
    read(share.new_rows, &size, sizeof size);
    if (size > buffer_size_) {
      if (buffer_ != nullptr) pfree(buffer_);
      buffer_size_ = std::max(Size{size}, 2 * buffer_size_);
      buffer_ = static_cast<char*>(MemoryContextAllocHuge(context_, buffer_size_));
    }
    memcpy(buffer_, &size, sizeof size);
    read(share.new_rows, buffer_ + sizeof size, size - sizeof size);
    bits8& bits = matched[i / 8];
    const auto bit = static_cast<bits8>(1U << (i % 8));
    if ((bits & bit) != 0) continue;
    if (table_.take(hash)) {
      bits = static_cast<bits8>(bits | bit);
    } else if (last) {
      ExecStoreMinimalTuple(reinterpret_cast<MinimalTuple>(buffer_), slot_, false);
      put_only_new(slot_);
    }
  }
  ExecClearTuple(slot_);
}

}  // namespace metrics_refresh::engine
