// Ready work in memory of its own, with a virtual clock.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <vector>

#include "core/queue/ready_work.hpp"

namespace metrics_refresh::core::queue::test {

constexpr OwnerId kOwner = 7;

inline TypeSettings plain(OwnerId owner = kOwner) {
  TypeSettings settings;
  settings.owner = owner;
  return settings;
}

class Queue {
 public:
  explicit Queue(const ReadyWork::Sizes& sizes = {64, 16, 8, 4, 4, 4})
      : memory_(ReadyWork::bytes(sizes) / 8), work(ReadyWork::make(memory_.data(), sizes)) {}

  void pass(Duration time) { now += time; }
  void set_type(TypeId type, const TypeSettings& settings) {
    EXPECT_TRUE(work.set_type(type, settings, now));
  }
  /// Posts `count` jobs in one span, and returns the first number.
  JobNumber post(TypeId type, std::uint32_t count = 1, KeyHash key = 0, std::int16_t priority = 0) {
    const JobNumber first = last_ + 1;
    last_ += count + 1;  // a gap, so that spans do not join
    work.post({type, key, priority, 0, first, first + count - 1, {}}, now);
    return first;
  }
  /// Claims and starts the next job, or returns 0.
  JobNumber start(std::uint32_t worker = 0, OwnerId owner = kOwner) {
    if (work.bite(worker).waiting == 0 &&
        work.claim(owner, worker, now) != ReadyWork::Claimed::kJobs)
      return 0;
    const Item* const item = work.start_next(worker, now);
    return item == nullptr ? 0 : item->job;
  }
  void end(JobNumber job, std::uint32_t worker = 0) { work.end(worker, job, now); }
  /// Starts the next job and ends it.
  JobNumber run(std::uint32_t worker = 0, OwnerId owner = kOwner) {
    const JobNumber job = start(worker, owner);
    if (job != 0) end(job, worker);
    return job;
  }
  /// All jobs of the owner in the order in which one worker runs them.
  std::vector<JobNumber> run_all(OwnerId owner = kOwner) {
    std::vector<JobNumber> jobs;
    while (const JobNumber job = run(0, owner)) jobs.push_back(job);
    return jobs;
  }

 private:
  std::vector<std::uint64_t> memory_;
  JobNumber last_ = 0;

 public:
  ReadyWork& work;
  Instant now = Instant{std::chrono::hours{24 * 365 * 50}};
};

}  // namespace metrics_refresh::core::queue::test
