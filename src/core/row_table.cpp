#include "core/row_table.hpp"

// The table uses open addressing with linear probing. The high half of the hash selects the first
// slot. A removed row leaves its slot occupied, so that later rows in the same sequence are still
// found.
//
// Duplicates would form long sequences. So only the first row is stored under its own hash. It
// counts the others, and the n-th one is stored under a hash that is derived from the original and
// n.
//
// Example: three rows with the hash h are stored under h, d(h, 1) and d(h, 2)
//   take(h) removes d(h, 2), then d(h, 1), then h

namespace metrics_refresh::core {
namespace {

// The multipliers are odd and have no regular bit pattern. They are the constants of SplitMix64.
RowHash hash_of_duplicate(RowHash hash, std::uint64_t number) noexcept {
  return {hash.high + number * 0x9E3779B97F4A7C15, hash.low ^ (number * 0xBF58476D1CE4E5B9)};
}

}  // namespace

// Multiplication instead of a remainder: it is faster and uses the high bits.
std::size_t reduce(std::uint64_t half, std::size_t count) noexcept {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::size_t>((Wide{half} * count) >> 64);
}

// With a load of 7/8, at least one slot is empty, so find() ends.
std::size_t RowTable::slots_for(std::size_t rows) noexcept { return rows + rows / 7 + 8; }

// Returns the slot with this hash, or the empty slot at which it would be put.
RowTable::Slot& RowTable::find(RowHash hash) const noexcept {
  std::size_t i = reduce(hash.high, capacity_);
  while (slots_[i].place_and_state != 0 &&
         (slots_[i].hash.high != hash.high || slots_[i].hash.low != hash.low))
    if (++i == capacity_) i = 0;
  return slots_[i];
}

bool RowTable::put(RowHash hash, RowLocation place) noexcept {
  if (!has_room()) return false;
  Slot* slot = &find(hash);
  if (slot->place_and_state != 0) {
    hash = hash_of_duplicate(hash, ++slot->duplicates);
    slot = &find(hash);
  }
  *slot = {hash, kStored << kStateShift | place, 0};
  ++used_;
  return true;
}

bool RowTable::has(RowHash hash) const noexcept {
  return capacity_ > 0 && find(hash).place_and_state >> kStateShift == kStored;
}

bool RowTable::put_all(const RowTable& other) noexcept {
  for (std::size_t i = 0; i < other.capacity_; ++i) {
    // Slots of removed rows are also copied: their sequence of duplicates must stay complete.
    const Slot& slot = other.slots_[i];
    if (slot.place_and_state == 0) continue;
    if (!has_room()) return false;
    find(slot.hash) = slot;
    ++used_;
  }
  return true;
}

std::optional<RowLocation> RowTable::take(RowHash hash) noexcept {
  if (capacity_ == 0) return std::nullopt;
  Slot& first = find(hash);
  if (first.place_and_state >> kStateShift != kStored) return std::nullopt;
  // The last duplicate is removed first, so that the others keep their numbers.
  Slot& slot = first.duplicates > 0 ? find(hash_of_duplicate(hash, first.duplicates--)) : first;
  const RowLocation place = slot.place_and_state & kPlace;
  slot.place_and_state = kTaken << kStateShift;
  return place;
}

}  // namespace metrics_refresh::core
