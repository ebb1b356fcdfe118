// A list of what a transaction has noted, in memory of the process. news.cpp has the rules.
#pragma once

#include "pg/guard.hpp"

namespace metrics_refresh::store::queue {

inline constexpr std::uint32_t kMostNoted = 4096;

/// Two values become one if there is a merge(first, second), and it says so.
///
/// Plain data: the callbacks run at places where no exception may be thrown.
template <typename T, bool (*merge)(T&, const T&) noexcept = nullptr>
struct Notes {
  struct Note {
    SubTransactionId sub;
    T value;
  };
  Note* notes = nullptr;
  std::uint32_t count = 0;
  std::uint32_t room = 0;

  Note* last() noexcept { return count > 0 ? &notes[count - 1] : nullptr; }
  // Returns false if there are too many.
  bool add(SubTransactionId sub, const T& value) {
    if (is_merged(sub, value)) return true;
    if (count == kMostNoted) return false;
    make_room();
    notes[count++] = {sub, value};
    return true;
  }
  void make_room(std::uint32_t more = 1) {
    while (count + more > room) grow();
  }
  void forget_from(SubTransactionId sub) noexcept {
    while (count > 0 && notes[count - 1].sub >= sub) --count;
  }
  void give_to_parent(SubTransactionId sub, SubTransactionId parent) noexcept {
    const std::uint32_t end = count;
    while (count > 0 && notes[count - 1].sub >= sub) --count;
    for (std::uint32_t i = count; i < end; ++i) {
      const Note note = {parent, notes[i].value};
      if (!is_merged(parent, note.value)) notes[count++] = note;
    }
  }
  // The values alone, at the start of the same memory. The notes are lost.
  T* compact() noexcept {
    T* const values = static_cast<T*>(static_cast<void*>(notes));
    for (std::uint32_t i = 0; i < count; ++i) {
      const T value = notes[i].value;
      memcpy(static_cast<void*>(&values[i]), &value, sizeof(T));
    }
    return values;
  }

 private:
  bool is_merged(SubTransactionId sub, const T& value) noexcept {
    if constexpr (merge == nullptr) return false;
    // Most transactions use few types. Looking further back would take time for each job.
    constexpr std::uint32_t kLookBack = 8;
    const std::uint32_t first = count > kLookBack ? count - kLookBack : 0;
    for (std::uint32_t i = count; i-- > first && notes[i].sub == sub;)
      if (merge(notes[i].value, value)) return true;
    return false;
  }
  void grow() {
    const std::uint32_t more = room == 0 ? 64 : 2 * room;
    Note* const old = notes;
    notes = pg::call([=] {
      const Size bytes = more * sizeof(Note);
      void* const memory =
          old == nullptr ? MemoryContextAlloc(TopMemoryContext, bytes) : repalloc_huge(old, bytes);
      return static_cast<Note*>(memory);
    });
    room = more;
  }
};

}  // namespace metrics_refresh::store::queue
