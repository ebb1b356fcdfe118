#include "engine/diff/row_matcher.hpp"
#include "pg/server_memory.hpp"

#include <sys/mman.h>

// The rows are divided into partitions by their hash. Partition 0 is matched in memory: the hash of
// each old row is put into the table, and each new row that is equal takes one old row out. A new
// row without a partner exists in the definition only. An old row that is left at the end exists in
// the view only.
//
// The other partitions, and old rows for which the table has no room, are written to temporary
// files. finish() reads them back: it fills the table with a batch of old rows of one partition,
// and reads all new rows of that partition. This is repeated until no old row is left.
//
// Example: the view has a, b, b; the definition has b, c
//   add_old: table {a, b, b}        add_new(b): takes one b out; add_new(c): not found
//   finish:  only in the view: a, b; only in the definition: c

namespace metrics_refresh::engine {
namespace {

// The limit bounds the memory for buffers: each of the two files of a partition has a buffer of 8
// kB.
constexpr uint64 kMaxPartitions = 256;
// Bytes. If the image of a row is larger, no second buffer of that size is allocated for it.
constexpr Size kWaitingSize = 8192;

void write(BufFile*& file, MemoryContext context, const void* bytes, Size size) {
  // The file must live as long as the matcher, not only as long as the current row.
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

// A large table uses huge pages if the system has them. Each access goes to another page, so most
// of them would miss the TLB otherwise.
core::RowTable make_table_of(Size slots) {
  const Size size = slots * sizeof(core::RowTable::Slot);
  auto* const memory =
      static_cast<char*>(MemoryContextAllocExtended(CurrentMemoryContext, size, MCXT_ALLOC_HUGE));
#ifdef MADV_HUGEPAGE
  constexpr Size kHugePage = Size{2} << 20;
  char* const first = reinterpret_cast<char*>(TYPEALIGN(kHugePage, memory));
  char* const last = reinterpret_cast<char*>(TYPEALIGN_DOWN(kHugePage, memory + size));
  if (first < last) (void)madvise(first, static_cast<Size>(last - first), MADV_HUGEPAGE);
#endif
  memset(memory, 0, size);
  return {reinterpret_cast<core::RowTable::Slot*>(memory), slots};
}

// The same limit as for the hash tables of the executor: work_mem * hash_mem_multiplier.
Size slots_within_limit() { return get_hash_memory_limit() / sizeof(core::RowTable::Slot); }

}  // namespace

core::RowLocation to_place(const ItemPointerData& tid) {
  return static_cast<core::RowLocation>(ItemPointerGetBlockNumber(&tid)) << 16 |
         ItemPointerGetOffsetNumber(&tid);
}

ItemPointerData to_tid(core::RowLocation place) {
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
  waiting_new_.init();
  slot_ = MakeSingleTupleTableSlot(row, &TTSOpsMinimalTuple);
  restored_ = MakeSingleTupleTableSlot(row, &TTSOpsVirtual);
  // The places are sorted, so that the writer visits the pages of the view in order.
  only_old_ =
      tuplesort_begin_datum(INT8OID, Int8LessOperator, InvalidOid, false, work_mem, nullptr, 0);
  only_new_ = tuplestore_begin_heap(false, false, work_mem);

  // Some room is added, so that a slightly low estimate does not require a larger table.
  const double rows = expected * 1.1 + 100;
  // The table accepts a load of 7/8.
  const double partitions = rows * 8 / 7 / static_cast<double>(slots_within_limit());
  partition_count_ =
      partitions <= 1 ? 1 : std::min(kMaxPartitions, static_cast<uint64>(partitions) + 1);
  partitions_ = pg::make_array<Partition>(partition_count_);
  MemoryContextSwitchTo(table_context_);
  table_ = make_table(rows);
  MemoryContextSwitchTo(context_);
}

// Uses the lower half of the hash. The table uses the upper half, so the two choices are
// independent.
RowMatcher::Partition& RowMatcher::partition_of(core::RowHash hash) {
  return partitions_[core::reduce(hash.low, partition_count_)];
}

// Puts a row of partition 0 into the table. The table is full if the estimate was too low. It is
// then replaced by a larger one, provided that both fit into the limit at the same time. Returns
// false if there is no room.
bool RowMatcher::add_to_table(core::RowHash hash, core::RowLocation place) {
  if (table_.put(hash, place)) return true;
  const Size limit = slots_within_limit();
  const Size larger = std::min(limit - std::min(limit, table_.capacity()), table_.capacity() * 4);
  // A table that is only slightly larger would soon be full again, so the rows go to the file
  // instead.
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
  OldRow row = {hasher_.hash(slot), to_place(slot->tts_tid)};
  MemoryContextSwitchTo(before);
  MemoryContextReset(row_context_);
  ++old_rows_;
  // The access to the table is delayed by a few rows, so that the prefetch has time to finish.
  table_.prefetch(row.hash);
  std::swap(row, waiting_old_[oldest_]);
  oldest_ = (oldest_ + 1) % kWaiting;
  if (waiting_old_count_ == kWaiting)
    match_old(row);
  else
    ++waiting_old_count_;
}

void RowMatcher::match_waiting_old() {
  for (int i = 0; i < waiting_old_count_; ++i)
    match_old(waiting_old_[(oldest_ + kWaiting - waiting_old_count_ + i) % kWaiting]);
  waiting_old_count_ = 0;
}

void RowMatcher::match_old(const OldRow& row) {
  Partition& partition = partition_of(row.hash);
  // Once a row of partition 0 is in the file, later ones follow. Otherwise the table may be
  // replaced again and again.
  if (&partition == partitions_ && partition.old_count == 0 && add_to_table(row.hash, row.place))
    return;
  write(partition.old_rows, context_, &row, sizeof row);
  ++partition.old_count;
}

void RowMatcher::add_new(TupleTableSlot* slot) {
  // All old rows must be in the table before the first new row is compared.
  if (waiting_old_count_ > 0) match_waiting_old();
  const MemoryContext before = MemoryContextSwitchTo(row_context_);
  const core::RowHash hash = hasher_.hash(slot);
  ++new_rows_;
  if (&partition_of(hash) != partitions_ || hasher_.image().capacity > kWaitingSize) {
    match_new(hash, slot);
  } else {
    table_.prefetch(hash);
    match_waiting_new();
    is_new_waiting_ = true;
    waiting_new_hash_ = hash;
    hasher_.swap_image(waiting_new_);
  }
  MemoryContextSwitchTo(before);
  MemoryContextReset(row_context_);
}

// In most cases the row is found and therefore unchanged. It need not be restored from its image.
void RowMatcher::match_waiting_new() {
  if (!is_new_waiting_) return;
  is_new_waiting_ = false;
  if (table_.take(waiting_new_hash_)) return;
  RowHasher::restore(waiting_new_, restored_);
  match_new(waiting_new_hash_, restored_);
}

void RowMatcher::match_new(core::RowHash hash, TupleTableSlot* slot) {
  Partition& partition = partition_of(hash);
  if (&partition == partitions_ && table_.take(hash)) return;
  // No old row of this partition is in a file, so no later match is possible.
  if (partition.old_count == 0) return put_only_new(slot);
  bool owned = false;
  MinimalTuple const tuple = ExecFetchSlotMinimalTuple(slot, &owned);
  write(partition.new_rows, context_, &hash, sizeof hash);
  write(partition.new_rows, context_, tuple, tuple->t_len);  // the tuple begins with its length
  ++partition.new_count;
}

void RowMatcher::put_only_new(TupleTableSlot* slot) {
  tuplestore_puttupleslot(only_new_, slot);
  ++only_new_rows_;
}

void RowMatcher::put_only_old() {
  table_.for_each([this](core::RowLocation place) {
    tuplesort_putdatum(only_old_, Int64GetDatum(static_cast<int64>(place)), false);
    ++only_old_rows_;
  });
}

void RowMatcher::finish() {
  match_waiting_old();
  match_waiting_new();
  put_only_old();
  for (uint64 i = 0; i < partition_count_; ++i)
    if (partitions_[i].old_count > 0) match_partition(partitions_[i]);
  MemoryContextDelete(table_context_);
  MemoryContextDelete(row_context_);
  ExecDropSingleTupleTableSlot(slot_);
  ExecDropSingleTupleTableSlot(restored_);
  tuplesort_performsort(only_old_);
}

void RowMatcher::match_partition(Partition& partition) {
  // One bit for each new row: each may match only once, and batches of old rows are read one by
  // one.
  auto* matched = static_cast<uint8*>(MemoryContextAllocExtended(
      context_, partition.new_count / 8 + 1, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO));
  rewind(partition.old_rows);
  uint64 unread = partition.old_count;
  while (unread > 0) {
    unread -= read_old_rows(partition, unread);
    match_new_rows(partition, matched, unread == 0);
    put_only_old();
  }
  pfree(matched);
  BufFileClose(partition.old_rows);
  if (partition.new_rows != nullptr) BufFileClose(partition.new_rows);
}

// Reads as many rows as the table can hold within the limit, and at least one.
uint64 RowMatcher::read_old_rows(Partition& partition, uint64 count) {
  MemoryContextReset(table_context_);
  const MemoryContext before = MemoryContextSwitchTo(table_context_);
  table_ = make_table(static_cast<double>(count));
  MemoryContextSwitchTo(before);
  uint64 rows = 0;
  for (; rows < count && table_.has_room(); ++rows) {
    CHECK_FOR_INTERRUPTS();
    OldRow row;
    read(partition.old_rows, &row, sizeof row);
    (void)table_.put(row.hash, row.place);
  }
  return rows;
}

// Reads all new rows that earlier batches have not matched. Rows that the last batch does not match
// exist in the definition only.
void RowMatcher::match_new_rows(Partition& partition, uint8* matched, bool last) {
  if (partition.new_rows != nullptr) rewind(partition.new_rows);
  for (uint64 i = 0; i < partition.new_count; ++i) {
    CHECK_FOR_INTERRUPTS();
    core::RowHash hash;
    uint32 size;
    read(partition.new_rows, &hash, sizeof hash);
    read(partition.new_rows, &size, sizeof size);
    if (size > buffer_size_) {
      if (buffer_ != nullptr) pfree(buffer_);
      buffer_size_ = std::max(Size{size}, 2 * buffer_size_);
      buffer_ = static_cast<char*>(MemoryContextAllocHuge(context_, buffer_size_));
    }
    memcpy(buffer_, &size, sizeof size);
    read(partition.new_rows, buffer_ + sizeof size, size - sizeof size);
    uint8& bits = matched[i / 8];
    const auto bit = static_cast<uint8>(1U << (i % 8));
    if ((bits & bit) != 0) continue;
    if (table_.take(hash)) {
      bits = static_cast<uint8>(bits | bit);
    } else if (last) {
      ExecStoreMinimalTuple(reinterpret_cast<MinimalTuple>(buffer_), slot_, false);
      put_only_new(slot_);
    }
  }
  ExecClearTuple(slot_);
}

}  // namespace metrics_refresh::engine
