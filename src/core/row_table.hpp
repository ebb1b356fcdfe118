// A multiset of rows, each known by a hash of its content and by its place in the view: which old
// row is the same as a new one? It lies in memory that the caller provides, never grows and never
// allocates, so that a longjmp past it leaks nothing. It compares hashes alone, so they must be
// wide and keyed.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstddef>
#include <cstdint>
#include <optional>

namespace metrics_refresh::core {

/// 128 bits; equal hashes mean equal rows.
struct RowHash {
  std::uint64_t high;
  std::uint64_t low;
};

/// Where a row is, in 48 bits: the block's number above 16 bits of offset.
using RowPlace = std::uint64_t;

/// A number below `count`, from the whole of a hash's half.
std::size_t reduce(std::uint64_t half, std::size_t count) noexcept;

/// Open addressing with linear probing. The n-th row with one hash lies under a hash of its own,
/// derived from the two, so that duplicates cost what others cost.
class RowTable {
 public:
  /// 32 bytes. Memory that is all zero holds no row.
  struct Slot {
    RowHash hash;
    std::uint64_t place_and_state;
    std::uint64_t duplicates;  // other rows with this hash that are still there
  };

  /// The slots that hold this many rows at the highest load that put() accepts.
  static std::size_t slots_for(std::size_t rows) noexcept;

  /// Full from the start.
  RowTable() noexcept = default;

  /// REQUIRES: `slots` are `capacity` zeroed slots, which outlive the table.
  RowTable(Slot* slots, std::size_t capacity) noexcept : slots_(slots), capacity_(capacity) {}

  std::size_t capacity() const noexcept { return capacity_; }

  /// Whether put() will take another row.
  bool has_room() const noexcept { return (used_ + 1) * 8 <= capacity_ * 7; }

  /// Has the memory that put() of this hash will look at brought into the processor's cache.
  void prefetch(RowHash hash) const noexcept {
    if (capacity_ > 0) __builtin_prefetch(slots_ + reduce(hash.high, capacity_), 1);
  }

  /// False where the table is full, and then it is unchanged.
  /// REQUIRES: no take() before.
  bool put(RowHash hash, RowPlace place) noexcept;

  /// Whether a row with this hash is there.
  bool has(RowHash hash) const noexcept;

  /// Puts all rows of the other one here. False where they are too many; then this one is spoilt.
  bool put_all(const RowTable& other) noexcept;

  /// Takes one row with this hash out, the one that was put last.
  std::optional<RowPlace> take(RowHash hash) noexcept;

  /// Calls `visit(RowPlace)` for each row that is left, in no order.
  template <typename Visit>
  void for_each(Visit&& visit) const {
    for (std::size_t i = 0; i < capacity_; ++i)
      if (slots_[i].place_and_state >> kStateShift == kHere)
        visit(slots_[i].place_and_state & kPlace);
  }

 private:
  static constexpr int kStateShift = 48;
  static constexpr std::uint64_t kPlace = (std::uint64_t{1} << kStateShift) - 1;
  static constexpr std::uint64_t kHere = 1;
  static constexpr std::uint64_t kTaken = 2;

  Slot& find(RowHash hash) const noexcept;

  Slot* slots_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t used_ = 0;  // slots that are not empty
};

}  // namespace metrics_refresh::core
