// A hash table of fixed size in memory that the caller provides. An element keeps its index as long
// as it is in the table. The element type has a member `after`, which the table uses, and a
// function `hash()`. Several elements may be equal.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstddef>
#include <cstdint>

#include "core/queue/array.hpp"

namespace metrics_refresh::core::queue {

/// Mixes the bits of a number (a finalizer of the kind that splitmix generators use).
constexpr std::uint64_t mixed(std::uint64_t value) noexcept {
  value = (value ^ (value >> 32)) * 0x9e3779b97f4a7c15ULL;
  value = (value ^ (value >> 29)) * 0xd6e8feb86659fd93ULL;
  return value ^ (value >> 32);
}

constexpr std::uint32_t power_of_two_from(std::uint32_t least) noexcept {
  std::uint32_t power = 1;
  while (power < least) power *= 2;
  return power;
}

template <typename T>
class Table {
 public:
  static constexpr std::size_t bytes(std::uint32_t size) noexcept {
    return Array<T>::bytes(size) + Array<std::uint32_t>::bytes(power_of_two_from(size));
  }
  /// The first `reserved` elements are never in the table: the caller uses them by their index.
  void place(std::byte*& memory, std::uint32_t size, std::uint32_t reserved = 0) noexcept {
    items_.place(memory, size);
    buckets_.place(memory, power_of_two_from(size));
    for (std::uint32_t i = 0; i < buckets_.size(); ++i) buckets_[i] = kNone;
    free_ = kNone;
    free_count_ = 0;
    for (std::uint32_t i = size; i-- > reserved;) set_free(i);
  }

  T& operator[](std::uint32_t index) noexcept { return items_[index]; }
  const T& operator[](std::uint32_t index) const noexcept { return items_[index]; }
  std::uint32_t size() const noexcept { return items_.size(); }
  std::uint32_t free_count() const noexcept { return free_count_; }

  /// Returns the first element with this hash for which `matches(element)`, or kNone.
  template <typename Matches>
  std::uint32_t find(std::uint64_t hash, Matches&& matches) const noexcept {
    std::uint32_t index = buckets_[bucket_of(hash)];
    while (index != kNone && !matches(items_[index])) index = items_[index].after;
    return index;
  }
  /// Returns the index of the new element, or kNone if there is no room.
  std::uint32_t insert(const T& item) noexcept {
    const std::uint32_t index = free_;
    if (index == kNone) return kNone;
    free_ = items_[index].after;
    --free_count_;
    std::uint32_t& bucket = buckets_[bucket_of(item.hash())];
    items_[index] = item;
    items_[index].after = bucket;
    bucket = index;
    return index;
  }
  void erase(std::uint32_t index) noexcept {
    std::uint32_t* before = &buckets_[bucket_of(items_[index].hash())];
    while (*before != index) before = &items_[*before].after;
    *before = items_[index].after;
    items_[index] = T{};
    set_free(index);
  }

 private:
  std::uint32_t bucket_of(std::uint64_t hash) const noexcept {
    return static_cast<std::uint32_t>(hash) & (buckets_.size() - 1);
  }
  void set_free(std::uint32_t index) noexcept {
    items_[index].after = free_;
    free_ = index;
    ++free_count_;
  }

  Array<T> items_;
  Array<std::uint32_t> buckets_;
  std::uint32_t free_ = kNone;
  std::uint32_t free_count_ = 0;
};

}  // namespace metrics_refresh::core::queue
