// The jobs that have a holder: a worker that has claimed them, a process outside the server, or a
// hold of a session that changes them. A job has at most one holder. Memory is the caller's; the
// set is a hash table with linear probing, at most half full.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstddef>
#include <cstdint>

#include "core/queue/array.hpp"

namespace metrics_refresh::core::queue {

using JobNumber = std::int64_t;  // greater than 0

struct Claim {
  // Holders that are no workers.
  static constexpr std::uint16_t kHold = 0xffff;
  static constexpr std::uint16_t kOutside = 0xfffe;

  JobNumber job = 0;           // 0: none
  std::uint32_t lane = kNone;  // whose limits count it; none for a hold
  std::uint16_t holder = 0;
  /// Segments of hints that were met while the job had its holder. The holder's look may have been
  /// earlier than the change of which the hint tells. So the hint must not be lost: it is posted
  /// again when the claim ends.
  std::uint8_t met = 0;
};

class ClaimedSet {
 public:
  static constexpr std::size_t bytes(std::uint32_t most) noexcept {
    return Array<Claim>::bytes(slots_for(most));
  }
  void place(std::byte*& memory, std::uint32_t most) noexcept;

  /// Returns null if the job has no holder. The pointer is valid until the next change.
  Claim* find(JobNumber job) noexcept;
  /// Returns false, and changes nothing, if the set is full. REQUIRES: find() returns null.
  bool insert(const Claim& claim) noexcept;
  /// Returns the claim as it was. REQUIRES: find() does not return null.
  Claim erase(JobNumber job) noexcept;

  std::uint32_t size() const noexcept { return size_; }

 private:
  static constexpr std::uint32_t slots_for(std::uint32_t most) noexcept {
    std::uint32_t slots = 2;
    while (slots / 2 < most) slots *= 2;
    return slots;
  }
  std::uint32_t home_of(JobNumber job) const noexcept;
  std::uint32_t slot_of(JobNumber job) noexcept;

  Array<Claim> slots_;
  std::uint32_t size_ = 0;
  std::uint32_t most_ = 0;
};

}  // namespace metrics_refresh::core::queue
