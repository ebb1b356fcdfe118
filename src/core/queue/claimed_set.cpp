#include "core/queue/claimed_set.hpp"

#include "core/queue/table.hpp"

namespace metrics_refresh::core::queue {

void ClaimedSet::place(std::byte*& memory, std::uint32_t most) noexcept {
  slots_.place(memory, slots_for(most));
  size_ = 0;
  most_ = most;
}

std::uint32_t ClaimedSet::home_of(JobNumber job) const noexcept {
  return static_cast<std::uint32_t>(mixed(static_cast<std::uint64_t>(job))) & (slots_.size() - 1);
}

// The slot of the job, or the free slot in which a new claim of it belongs.
std::uint32_t ClaimedSet::slot_of(JobNumber job) noexcept {
  std::uint32_t slot = home_of(job);
  while (slots_[slot].job != 0 && slots_[slot].job != job) slot = (slot + 1) & (slots_.size() - 1);
  return slot;
}

Claim* ClaimedSet::find(JobNumber job) noexcept {
  Claim& claim = slots_[slot_of(job)];
  return claim.job == job ? &claim : nullptr;
}

bool ClaimedSet::insert(const Claim& claim) noexcept {
  if (size_ == most_) return false;
  slots_[slot_of(claim.job)] = claim;
  ++size_;
  return true;
}

Claim ClaimedSet::erase(JobNumber job) noexcept {
  const std::uint32_t mask = slots_.size() - 1;
  std::uint32_t gap = slot_of(job);
  const Claim erased = slots_[gap];
  // A claim behind the gap moves into it, unless the gap lies before its home. So probing never
  // meets a free slot too early, and there are no tombstones.
  for (std::uint32_t slot = (gap + 1) & mask; slots_[slot].job != 0; slot = (slot + 1) & mask) {
    const std::uint32_t distance = (slot - home_of(slots_[slot].job)) & mask;
    if (distance < ((slot - gap) & mask)) continue;
    slots_[gap] = slots_[slot];
    gap = slot;
  }
  slots_[gap] = {};
  --size_;
  return erased;
}

}  // namespace metrics_refresh::core::queue
