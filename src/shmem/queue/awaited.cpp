#include "shmem/queue/awaited.hpp"

#include <algorithm>

#include "shmem/queue/steps.hpp"

namespace metrics_refresh::shmem::queue {
namespace {

constexpr std::uint32_t kFilterBits = kFilterWords * 64;

struct Bits {
  std::uint32_t first, second;
};

Bits bits_of(JobNumber job) noexcept {
  const std::uint64_t hash = core::queue::mixed(static_cast<std::uint64_t>(job));
  return {static_cast<std::uint32_t>(hash % kFilterBits),
          static_cast<std::uint32_t>((hash >> 32) % kFilterBits)};
}

bool is_set(const Content& content, std::uint32_t bit) noexcept {
  return (content.filter[bit / 64] >> (bit % 64) & 1U) != 0;
}

void set(Content& content, std::uint32_t bit) noexcept {
  if (is_set(content, bit)) return;
  content.filter[bit / 64] |= std::uint64_t{1} << (bit % 64);
  ++content.filter_bits;
}

RingPosition oldest_position(const Content& content) noexcept {
  const RingPosition kept = content.ring_end > kRing ? content.ring_end - kRing : 0;
  return std::max(kept, content.ring_begin);
}

}  // namespace

bool filter_has(const Content& content, JobNumber job) noexcept {
  if (content.filter_bits == 0) return false;
  const Bits bits = bits_of(job);
  return is_set(content, bits.first) && is_set(content, bits.second);
}

RingPosition await(const JobNumber* jobs, std::uint32_t count) noexcept {
  return locked(LW_EXCLUSIVE, [=](Content& content) {
    for (std::uint32_t i = 0; i < count; ++i) {
      const Bits bits = bits_of(jobs[i]);
      set(content, bits.first);
      set(content, bits.second);
    }
    return content.ring_end;
  });
}

AwaitedNews awaited_ends(RingPosition position, AwaitedEnd* ends, std::uint32_t most) noexcept {
  AwaitedNews none;
  none.look_again = true;
  if (!is_current()) return none;
  return locked(LW_SHARED, [=](Content& content) {
    AwaitedNews news;
    news.look_again = position < oldest_position(content) || position > content.ring_end;
    news.position = news.look_again ? content.ring_end : position;
    for (; news.position < content.ring_end && news.count < most; ++news.position)
      ends[news.count++] = content.ring[news.position % kRing];
    return news;
  });
}

void prepare_for_awaited() {
  if (here != nullptr) ConditionVariablePrepareToSleep(&here->awaited);
}

void sleep_until_awaited(long timeout) {
  if (here != nullptr)
    (void)ConditionVariableTimedSleep(&here->awaited, timeout, PG_WAIT_EXTENSION);
}

void cancel_awaited_sleep() { (void)ConditionVariableCancelSleep(); }

bool filter_is_full() noexcept {
  return locked(LW_SHARED, [](Content& content) { return content.filter_bits > kFilterBits / 2; });
}

// All positions are lost, so each process that waits adds its jobs again.
void empty_filter() noexcept {
  locked_with_wakes([](Content& content, Wakes& wakes) {
    for (std::uint64_t& word : content.filter) word = 0;
    content.filter_bits = 0;
    content.ring_begin = ++content.ring_end;
    wakes.awaited = true;
  });
}

BatchNews take_batch_ends(BatchEnd* ends, std::uint32_t most) noexcept {
  return locked(LW_EXCLUSIVE, [=](Content& content) {
    BatchNews news;
    news.all = std::exchange(content.batch_ends_lost, false);
    while (content.batch_end_count > 0 && news.count < most)
      ends[news.count++] = content.batch_ends[--content.batch_end_count];
    return news;
  });
}

void forget_batch(std::int64_t batch) noexcept {
  locked(LW_EXCLUSIVE, [batch](Content& content) {
    if (const std::uint32_t index = find_batch(content, batch); index != kNone)
      content.batches.erase(index);
  });
}

}  // namespace metrics_refresh::shmem::queue
