// A multiset of rows. Each row has a hash of its contents and a place in the view. It is used to
// find the old row that is equal to a new one. The caller provides the memory; the table never
// grows and never allocates, so a longjmp leaks nothing. Only hashes are compared, so they must be
// wide and keyed.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstddef>
#include <cstdint>
#include <optional>

namespace metrics_refresh::core {

/// 128 bits. Equal hashes mean equal rows.
struct RowHash {
  std::uint64_t high;
  std::uint64_t low;
};

/// The place of a row in 48 bits: the block number, followed by 16 bits of offset.
using RowLocation = std::uint64_t;

/// Maps all bits of one half of a hash to a number below `count`.
std::size_t reduce(std::uint64_t half, std::size_t count) noexcept;

/// A hash table with open addressing and linear probing. The n-th row with the same hash is stored
/// under a hash that is derived from both. So duplicates are as fast as other rows.
class RowTable {
 public:
  /// 32 bytes. A slot of zeroes is empty.
  struct Slot {
    RowHash hash;
    std::uint64_t place_and_state;
    std::uint64_t duplicates;  // number of other rows with this hash in the table
  };

  /// Returns the number of slots that can hold this many rows at the maximum load of put().
  static std::size_t slots_for(std::size_t rows) noexcept;

  /// A table without slots, which is always full.
  RowTable() noexcept = default;

  /// REQUIRES: `slots` are `capacity` zeroed slots that outlive the table.
  RowTable(Slot* slots, std::size_t capacity) noexcept : slots_(slots), capacity_(capacity) {}

  std::size_t capacity() const noexcept { return capacity_; }

  /// Returns whether put() accepts another row.
  bool has_room() const noexcept { return (used_ + 1) * 8 <= capacity_ * 7; }

  /// Prefetches the memory that put() needs for this hash into the processor's cache.
  void prefetch(RowHash hash) const noexcept {
    if (capacity_ > 0) __builtin_prefetch(slots_ + reduce(hash.high, capacity_), 1);
  }

  /// Returns false, and changes nothing, if the table is full. REQUIRES: take() was not called
  /// before.
  bool put(RowHash hash, RowLocation place) noexcept;

  /// Returns whether the table has a row with this hash.
  bool has(RowHash hash) const noexcept;

  /// Copies all rows of the other table into this one. Returns false if there are too many; then
  /// this table must not be used any more.
  bool put_all(const RowTable& other) noexcept;

  /// Removes one row with this hash, the one that was added last.
  std::optional<RowLocation> take(RowHash hash) noexcept;

  /// Calls `visit(RowLocation)` for each remaining row, in no particular order.
  template <typename Visit>
  void for_each(Visit&& visit) const {
    for (std::size_t i = 0; i < capacity_; ++i)
      if (slots_[i].place_and_state >> kStateShift == kStored)
        visit(slots_[i].place_and_state & kPlace);
  }

 private:
  static constexpr int kStateShift = 48;
  static constexpr std::uint64_t kPlace = (std::uint64_t{1} << kStateShift) - 1;
  static constexpr std::uint64_t kStored = 1;
  static constexpr std::uint64_t kTaken = 2;

  Slot& find(RowHash hash) const noexcept;

  Slot* slots_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t used_ = 0;  // slots that are not empty
};

}  // namespace metrics_refresh::core
