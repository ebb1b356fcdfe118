#include "unit/queue_storm.hpp"

#include <gtest/gtest.h>

namespace metrics_refresh::core::queue::test {
namespace {

ReadyWork::Sizes small(unsigned seed, TypeId types, std::uint32_t workers) {
  return {1 + seed * 7 % 40, 1 + seed * 5 % 9, static_cast<std::uint32_t>(types), workers, 3, 4};
}

}  // namespace

Storm::Storm(unsigned seed) : random_(seed), sizes_(small(seed, kTypes, kWorkers)), queue_(sizes_) {
  for (TypeId type = 1; type <= kTypes; ++type) {
    TypeSettings& settings = types_[type];
    settings.owner = 1 + pick(2);
    settings.bite = static_cast<std::uint32_t>(1 + pick(2) * pick(40));
    settings.concurrency = static_cast<std::uint32_t>(pick(2) * (1 + pick(6)));
    settings.concurrency_per_key = static_cast<std::uint32_t>(pick(2) * (1 + pick(3)));
    if (pick(3) == 0) settings.rate_limit = static_cast<std::uint32_t>(1 + pick(10));
    queue_.set_type(type, settings);
  }
}

void Storm::rage(int steps) {
  while (steps-- > 0 && !testing::Test::HasFailure()) {
    queue_.pass(Duration{static_cast<std::int64_t>(pick(20'000))});
    const std::uint64_t what = pick(100);
    if (what < 12)
      enqueue();
    else if (what < 24)
      commit();
    else if (what < 88)
      work(static_cast<std::uint32_t>(pick(kWorkers)));
    else if (what < 90)
      die(static_cast<std::uint32_t>(pick(kWorkers)));
    else if (what < 93)
      hold();
    else if (what < 96)
      release();
    else if (what < 97)
      reread();
    else if (what < 99)
      end_outside();
    else
      change_type();
    check();
  }
}

// A transaction enqueues one job, or many of one key.
void Storm::enqueue() {
  const JobNumber first = last_ + 1;
  last_ += static_cast<JobNumber>(pick(4) == 0 ? 1 + pick(30) : 1);
  Row row{};
  row.type = static_cast<TypeId>(1 + pick(kTypes));
  row.key = pick(2) * pick(12);
  row.priority = static_cast<std::int16_t>(pick(3) * pick(12));
  row.segment = static_cast<std::uint8_t>(last_ / 100 % kSegments);
  for (JobNumber job = first; job <= last_; ++job) rows_[job] = row;
  open_.emplace_back(first, last_);
}

void Storm::commit() {
  if (open_.empty()) return;
  const auto place = open_.begin() + static_cast<std::ptrdiff_t>(pick(open_.size()));
  const auto [first, last] = *place;
  open_.erase(place);
  for (JobNumber job = first; job <= last; ++job) rows_.at(job).visible = true;
  post(first, last);
}

void Storm::post(JobNumber first, JobNumber last) {
  const Row& row = rows_.at(first);
  Tid tid;
  if (first == last && pick(2) == 0) tid = {1, static_cast<std::uint16_t>(first % 100 + 1)};
  queue_.work.post({row.type, row.key, row.priority, row.segment, first, last, tid}, queue_.now);
}

void Storm::work(std::uint32_t index) {
  Worker& worker = workers_[index];
  if (worker.reads) {
    worker.reads = false;
    queue_.work.put_back(index, worker.found.data(),
                         static_cast<std::uint32_t>(worker.found.size()), worker.read_until,
                         queue_.now);
  } else if (worker.committed != 0) {
    queue_.end(worker.committed, index);
    worker.committed = 0;
  } else if (worker.running != 0) {
    finish(index);
  } else {
    start(index);
  }
}

void Storm::claim(std::uint32_t index) {
  const std::uint32_t claims = queue_.work.claims();
  const auto claimed = queue_.work.claim(1 + pick(2), index, queue_.now);
  if (claimed == ReadyWork::Claimed::kRead) read(index);
  if (claimed == ReadyWork::Claimed::kJobs && queue_.work.claims() == claims) ++stolen;
}

// The rows are read now, and put back at a later step.
void Storm::read(std::uint32_t index) {
  ++reads;
  Worker& worker = workers_[index];
  worker.reads = true;
  const auto reading = queue_.work.reading(index);
  worker.read_until = reading.last;
  worker.found.clear();
  const std::size_t most = 1 + pick(8);
  for (auto i = rows_.lower_bound(reading.first); i != rows_.end() && i->first <= reading.last;
       ++i) {
    const Row& row = i->second;
    if (!row.visible || row.ended || row.segment != reading.segment) continue;
    if (row.type != reading.type || !reading.includes(row.key)) continue;
    worker.found.push_back({i->first, row.key, {}});
    if (worker.found.size() < most) continue;
    worker.read_until = i->first;
    break;
  }
}

void Storm::start(std::uint32_t index) {
  if (queue_.work.bite(index).empty()) claim(index);
  const Item* const item = queue_.work.start_next(index, queue_.now);
  if (item == nullptr) return;
  const JobNumber job = item->job;
  EXPECT_EQ(outside_.count(job), 0U);
  for (const Worker& other : workers_) {
    EXPECT_NE(other.running, job);
    EXPECT_NE(other.committed, job);
  }
  // The look comes after the claim. A hint may be wrong, or of an earlier place of the row.
  const Row& row = rows_.at(job);
  if (row.visible && !row.ended && row.segment == item->segment)
    workers_[index].running = job;
  else
    queue_.end(job, index);
}

// The transaction of the job commits: it has ended, or it is to run again in another segment. That
// is posted before the worker's claim ends. Or it is given back.
void Storm::finish(std::uint32_t index) {
  Worker& worker = workers_[index];
  const JobNumber job = worker.running;
  worker.running = 0;
  if (pick(10) == 0 && queue_.work.hand_over(index, job)) {
    ++outside;
    outside_.insert(job);
    return;
  }
  if (pick(10) == 0) return queue_.work.give_back(index, job, queue_.now);
  worker.committed = job;
  Row& row = rows_.at(job);
  EXPECT_FALSE(row.ended);
  queue_.work.mark_committed(index, 0);
  if (pick(5) != 0) {
    row.ended = true;
    ++ran;
    return;
  }
  row.segment = static_cast<std::uint8_t>(pick(kSegments));
  post(job, job);
}

void Storm::die(std::uint32_t index) {
  ++deaths;
  queue_.work.leave(index, queue_.now);
  workers_[index] = {};
}

// The holder outside completes the job, or its lease ends.
void Storm::end_outside() {
  if (outside_.empty()) return;
  const JobNumber job = *outside_.begin();
  outside_.erase(job);
  EXPECT_TRUE(queue_.work.is_outside(job));
  Row& row = rows_.at(job);
  EXPECT_FALSE(row.ended);
  if (pick(3) == 0) return queue_.work.give_back_outside(job, row.segment, queue_.now);
  row.ended = true;
  ++ran;
  queue_.work.end_outside(job, queue_.now);
}

void Storm::hold() {
  if (rows_.empty()) return;
  const JobNumber job = static_cast<JobNumber>(1 + pick(static_cast<std::uint64_t>(last_)));
  const auto held = queue_.work.hold(job);
  if (held.result == ReadyWork::Held::Result::kHeld) held_.insert(job);
  if (held.result != ReadyWork::Held::Result::kRunning) return;
  const Worker& worker = workers_[held.worker];
  EXPECT_TRUE(worker.running == job || worker.committed == job);
}

// The session has canceled the job, or has rolled back.
void Storm::release() {
  if (held_.empty()) return;
  const JobNumber job = *held_.begin();
  held_.erase(job);
  Row& row = rows_.at(job);
  if (row.visible && pick(2) == 0) row.ended = true;
  met += queue_.work.release(job) != 0;
  if (row.visible && !row.ended) post(job, job);
}

void Storm::reread() {
  for (std::uint8_t segment = 0; segment < kSegments; ++segment) {
    if ((queue_.work.rereads_wanted() >> segment & 1U) == 0) continue;
    ++rereads;
    queue_.work.begin_reread(segment);
    for (const auto& [job, row] : rows_)
      if (row.visible && !row.ended && row.segment == segment) post(job, job);
    if (pick(5) == 0)
      queue_.work.abandon_rereads();
    else
      queue_.work.end_reread(segment);
    return;
  }
}

void Storm::change_type() {
  const auto type = static_cast<TypeId>(1 + pick(kTypes));
  TypeSettings& settings = types_.at(type);
  settings.paused = pick(4) == 0;
  if (pick(3) == 0) settings.owner = 1 + pick(2);
  queue_.set_type(type, settings);
}

void Storm::check() {
  std::set<JobNumber> claimed = held_;
  std::map<TypeId, std::uint32_t> of_type;
  std::map<std::pair<TypeId, KeyHash>, std::uint32_t> of_key;
  const auto claim = [&](JobNumber job) {
    EXPECT_TRUE(claimed.insert(job).second) << "job " << job << " has two holders";
    const Row& row = rows_.at(job);
    ++of_type[row.type];
    if (row.key != 0) ++of_key[{row.type, row.key}];
  };
  for (std::uint32_t worker = 0; worker < kWorkers; ++worker) {
    const Bite& bite = queue_.work.bite(worker);
    for (std::uint32_t i = 0; i < bite.count; ++i) {
      if (bite.items[i].state == Item::State::kGone) continue;
      EXPECT_EQ(rows_.at(bite.items[i].job).type, bite.type);
      claim(bite.items[i].job);
    }
  }
  for (const JobNumber job : outside_) claim(job);
  EXPECT_EQ(claimed.size(), queue_.work.claims());
  for (const auto& [type, settings] : types_) {
    if (settings.concurrency == 0) continue;
    EXPECT_LE(of_type[type], settings.concurrency);
  }
  for (const auto& [type_and_key, count] : of_key) {
    const std::uint32_t limit = types_.at(type_and_key.first).concurrency_per_key;
    if (limit == 0) continue;
    EXPECT_LE(count, limit) << "type " << type_and_key.first << ", key " << type_and_key.second;
  }
}

void Storm::drain() {
  while (!open_.empty()) commit();
  while (!held_.empty()) release();
  for (auto& [type, settings] : types_) {
    settings.paused = false;
    queue_.set_type(type, settings);
  }
  std::size_t left = 1;
  for (int round = 0; left != 0 && round < 20'000 && !testing::Test::HasFailure(); ++round) {
    queue_.pass(std::chrono::milliseconds{300});
    for (std::uint32_t worker = 0; worker < kWorkers; ++worker) work(worker);
    reread();
    end_outside();
    check();
    left = queue_.work.rereads_wanted() + queue_.work.claims() +
           (sizes_.spans - queue_.work.free_spans());
  }
  for (const auto& [job, row] : rows_) EXPECT_TRUE(row.ended) << "job " << job << " was lost";
  EXPECT_EQ(queue_.work.free_spans(), sizes_.spans);
  EXPECT_EQ(queue_.work.free_lanes(), sizes_.lanes);
  EXPECT_EQ(queue_.work.claims(), 0U);
}

}  // namespace metrics_refresh::core::queue::test
