// A model of the queue's tables and processes that drives core::queue::ReadyWork at random, with
// too little memory: transactions that commit out of order, workers that claim, read, run, fail,
// steal and die, claims from outside, sessions that hold jobs, a scheduler that reads segments
// again. After each step it checks that a job has one holder and that limits hold. drain() checks
// that no job was lost.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "unit/queue_fixture.hpp"

namespace metrics_refresh::core::queue::test {

class Storm {
 public:
  explicit Storm(unsigned seed);
  void rage(int steps);
  /// Nothing new comes, and all processes do their work.
  void drain();

  int ran = 0, reads = 0, rereads = 0, stolen = 0, deaths = 0, met = 0, outside = 0;

 private:
  static constexpr TypeId kTypes = 4;
  static constexpr std::uint32_t kWorkers = 5;

  struct Row {
    TypeId type;
    KeyHash key;
    std::int16_t priority;
    std::uint8_t segment;
    bool visible = false, ended = false;
  };
  struct Worker {
    JobNumber running = 0;    // started, seen and not yet committed
    JobNumber committed = 0;  // and not yet ended in memory
    bool reads = false;
    std::vector<ReadyWork::Found> found;
    JobNumber read_until = 0;
  };

  std::uint64_t pick(std::uint64_t count) { return random_() % count; }
  void enqueue();
  void commit();
  void post(JobNumber first, JobNumber last);
  void work(std::uint32_t worker);
  void claim(std::uint32_t worker);
  void read(std::uint32_t worker);
  void start(std::uint32_t worker);
  void finish(std::uint32_t worker);
  void die(std::uint32_t worker);
  void end_outside();
  void hold();
  void release();
  void reread();
  void change_type();
  void check();

  std::mt19937_64 random_;
  ReadyWork::Sizes sizes_;
  Queue queue_;
  std::map<TypeId, TypeSettings> types_;
  std::map<JobNumber, Row> rows_;
  std::vector<std::pair<JobNumber, JobNumber>> open_;  // transactions that have not committed
  std::vector<Worker> workers_{kWorkers};
  std::set<JobNumber> held_, outside_;
  JobNumber last_ = 0;
};

}  // namespace metrics_refresh::core::queue::test
