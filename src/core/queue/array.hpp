// Arrays in memory that the caller provides, and rings of their elements. All references are
// indexes, and an array finds its elements by their distance from itself. So a structure of arrays
// may lie in shared memory, at another address in each process. It may be copied only as a whole,
// together with the elements.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstddef>
#include <cstdint>
#include <new>

namespace metrics_refresh::core::queue {

/// No element.
constexpr std::uint32_t kNone = 0xffffffff;

template <typename T>
class Array {
 public:
  static constexpr std::size_t bytes(std::uint32_t size) noexcept {
    return (size * sizeof(T) + kAlignment - 1) / kAlignment * kAlignment;
  }
  /// Makes `size` new elements at `memory`, and moves `memory` behind them.
  /// REQUIRES: `memory` is aligned to 8 bytes and stays in place as long as this array does.
  void place(std::byte*& memory, std::uint32_t size) noexcept {
    offset_ = memory - reinterpret_cast<std::byte*>(this);
    size_ = size;
    for (std::uint32_t i = 0; i < size; ++i) new (memory + i * sizeof(T)) T{};
    memory += bytes(size);
  }
  T& operator[](std::uint32_t index) noexcept { return data()[index]; }
  const T& operator[](std::uint32_t index) const noexcept {
    return const_cast<Array*>(this)->data()[index];
  }
  std::uint32_t size() const noexcept { return size_; }

 private:
  static constexpr std::size_t kAlignment = 8;
  static_assert(alignof(T) <= kAlignment);
  T* data() noexcept {
    return std::launder(reinterpret_cast<T*>(reinterpret_cast<std::byte*>(this) + offset_));
  }

  std::ptrdiff_t offset_ = 0;
  std::uint32_t size_ = 0;
};

/// The place of an element in a ring.
struct Link {
  std::uint32_t before = kNone, after = kNone;
  bool linked = false;
};

/// Elements that take turns: the first one is next. `link_of(index)` returns the Link of an
/// element.
struct Ring {
  std::uint32_t first = kNone, last = kNone;

  bool empty() const noexcept { return first == kNone; }

  template <typename LinkOf>
  void append(std::uint32_t index, LinkOf&& link_of) noexcept {
    link_of(index) = {last, kNone, true};
    (last == kNone ? first : link_of(last).after) = index;
    last = index;
  }
  template <typename LinkOf>
  void remove(std::uint32_t index, LinkOf&& link_of) noexcept {
    const Link link = link_of(index);
    (link.before == kNone ? first : link_of(link.before).after) = link.after;
    (link.after == kNone ? last : link_of(link.after).before) = link.before;
    link_of(index) = {};
  }
  /// Appends the element or removes it, so that it is in the ring if `belongs`. Returns whether
  /// that was a change.
  template <typename LinkOf>
  bool set(std::uint32_t index, bool belongs, LinkOf&& link_of) noexcept {
    if (belongs == link_of(index).linked) return false;
    belongs ? append(index, link_of) : remove(index, link_of);
    return true;
  }
  /// Moves the element to the end if it is in the ring: its turn is over.
  template <typename LinkOf>
  void end_turn(std::uint32_t index, LinkOf&& link_of) noexcept {
    if (!link_of(index).linked || last == index) return;
    remove(index, link_of);
    append(index, link_of);
  }
};

}  // namespace metrics_refresh::core::queue
