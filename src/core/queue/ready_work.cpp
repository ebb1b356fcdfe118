#include "core/queue/ready_work.hpp"

#include <algorithm>
#include <type_traits>

namespace metrics_refresh::core::queue {

static_assert(std::is_trivially_copyable_v<ReadyWork>, "it lives in shared memory");
static_assert(std::is_trivially_destructible_v<ReadyWork>);

namespace {

Span span_of(JobNumber first, JobNumber last, std::uint8_t segment, Tid tid) noexcept {
  Span span;
  span.first = first;
  span.exact_last = span.last = last;
  span.segment = segment;
  span.tid = tid;
  return span;
}

constexpr std::size_t kHeader = (sizeof(ReadyWork) + 7) / 8 * 8;

}  // namespace

std::size_t ReadyWork::bytes(const Sizes& sizes) noexcept {
  return kHeader + Turns::bytes(sizes.lanes, sizes.types) + Spans::bytes(sizes.spans) +
         ClaimedSet::bytes(sizes.workers * kMostInBite + sizes.holds + sizes.outside) +
         Array<Worker>::bytes(sizes.workers);
}

ReadyWork& ReadyWork::make(void* memory, const Sizes& sizes) noexcept {
  ReadyWork& made = *new (memory) ReadyWork;
  std::byte* rest = static_cast<std::byte*>(memory) + kHeader;
  made.turns_.place(rest, sizes.lanes, sizes.types);
  made.spans_.place(rest, sizes.spans);
  made.claimed_.place(rest, sizes.workers * kMostInBite + sizes.holds + sizes.outside);
  made.workers_.place(rest, sizes.workers);
  made.most_holds_ = sizes.holds;
  made.most_outside_ = sizes.outside;
  return made;
}

bool ReadyWork::set_type(TypeId id, const TypeSettings& settings, Instant now) noexcept {
  const std::uint32_t type = turns_.find_or_add_type(id);
  if (type == kNone) return false;
  turns_.set_type(type, settings, now);
  return true;
}

void ReadyWork::suspend_type(TypeId id) noexcept {
  if (const std::uint32_t type = turns_.find_type(id); type != kNone) turns_.suspend_type(type);
}

void ReadyWork::forget_type(TypeId id, Instant now) noexcept {
  const std::uint32_t type = turns_.find_type(id);
  if (type == kNone) return;
  for (std::uint32_t i = 0; i < turns_.lane_count(); ++i) {
    if (turns_.lane(i).type != type) continue;
    spans_.clear(turns_.lane(i).spans);
    turns_.update_lane(i);
  }
  // It may have gone with its last lane.
  if (turns_.find_type(id) == type) turns_.forget_type(type, now);
}

void ReadyWork::set_bite(TypeId id, std::uint32_t bite) noexcept {
  if (const std::uint32_t type = turns_.find_type(id); type != kNone)
    turns_.type(type).settings.bite = bite;
}

OwnerId ReadyWork::owner_of(TypeId id) const noexcept {
  const std::uint32_t type = turns_.find_type(id);
  return type == kNone ? 0 : turns_.owner_of(type);
}

std::uint32_t ReadyWork::running(TypeId id) const noexcept {
  const std::uint32_t type = turns_.find_type(id);
  return type == kNone ? 0 : turns_.type(type).running;
}

Instant ReadyWork::oldest_turn_of(TypeId id, Instant now) const noexcept {
  const std::uint32_t type = turns_.find_type(id);
  return type == kNone ? Instant::max() : turns_.oldest_turn_of(type, now);
}

Instant ReadyWork::turn_among_owners(TypeId id, Instant now) const noexcept {
  const std::uint32_t type = turns_.find_type(id);
  return type == kNone ? Instant::max() : turns_.turn_among_owners(type, now);
}

ReadyWork::Posted ReadyWork::post(const Jobs& jobs, Instant now) noexcept {
  const std::uint32_t type = turns_.find_or_add_type(jobs.type);
  if (type == kNone) {
    want_reread(jobs.segment);
    return {0, false};
  }
  if (turns_.type(type).is_forgotten) return {};
  const Posted posted = {turns_.owner_of(type), turns_.type(type).is_known};
  append(turns_.lane_for(type, jobs.key, jobs.priority),
         span_of(jobs.first, jobs.last, jobs.segment, jobs.tid), now);
  return posted;
}

void ReadyWork::append(std::uint32_t index, const Span& span, Instant now) noexcept {
  Lane& lane = turns_.lane(index);
  if (lane.spans.empty() && lane.reading == 0) lane.waiting_since = now;
  if (!spans_.append(lane.spans, span)) want_reread(span.segment);
  turns_.update_lane(index);
}

// The lane has waited for its turn since the last one. REQUIRES: it has a claim or a read.
void ReadyWork::prepend(std::uint32_t index, const Span& span) noexcept {
  Lane& lane = turns_.lane(index);
  if (turns_.type(lane.type).is_forgotten) return;
  if (!spans_.prepend(lane.spans, span)) want_reread(span.segment);
  turns_.update_lane(index);
}

ReadyWork::Claimed ReadyWork::claim(OwnerId owner, std::uint32_t worker, Instant now) noexcept {
  turns_.open_rates(now);
  for (std::uint32_t looks = 0; looks < kMostLooks; ++looks) {
    const std::uint32_t lane = turns_.next_lane(owner, now);
    if (lane == kNone) return steal(owner, worker) ? Claimed::kJobs : Claimed::kNothing;
    if (!spans_[turns_.lane(lane).spans.front].has_exact()) {
      take_to_read(worker, lane);
      return Claimed::kRead;
    }
    fill(worker, lane, looks, now);
    if (!workers_[worker].bite.empty()) return Claimed::kJobs;
  }
  return Claimed::kAgain;
}

bool ReadyWork::claim_one(const Jobs& job, std::uint32_t worker, Instant now) noexcept {
  const std::uint32_t id = turns_.find_or_add_type(job.type);
  if (id == kNone || claimed_.find(job.first) != nullptr) return false;
  const std::uint32_t lane = turns_.lane_for(id, job.key, job.priority);
  claimed_.insert({job.first, lane, static_cast<std::uint16_t>(worker), 0});
  Bite& bite = workers_[worker].bite;
  bite.add({job.first, job.tid, job.segment, Item::State::kWaiting});
  begin(bite, lane, now);
  return true;
}

std::uint32_t ReadyWork::holder_of(JobNumber job) noexcept {
  const Claim* const claim = claimed_.find(job);
  return claim == nullptr ? kNone : claim->holder;
}

// The bite has its first jobs.
void ReadyWork::begin(Bite& bite, std::uint32_t lane, Instant now) noexcept {
  const Type& type = turns_.type(turns_.lane(lane).type);
  bite.owner = type.settings.owner;
  bite.type = type.id;
  bite.lane = lane;
  bite.begun = now;
  bite.window = turns_.start(lane, bite.count, now);
}

void ReadyWork::fill(std::uint32_t worker, std::uint32_t index, std::uint32_t& looks,
                     Instant now) noexcept {
  Bite& bite = workers_[worker].bite;
  Lane& lane = turns_.lane(index);
  const std::uint32_t most = std::min(turns_.allowance(index, now), kMostInBite);
  while (bite.count < most && looks < kMostLooks && !lane.spans.empty()) {
    const Span& front = spans_[lane.spans.front];
    if (!front.has_exact()) break;
    const Item item = {front.first, front.tid, front.segment, Item::State::kWaiting};
    spans_.advance(lane.spans, 1);
    ++looks;
    if (Claim* const claim = claimed_.find(item.job)) {
      claim->met = static_cast<std::uint8_t>(claim->met | 1U << item.segment);
      continue;
    }
    claimed_.insert({item.job, index, static_cast<std::uint16_t>(worker), 0});
    bite.add(item);
  }
  bite.empty() ? turns_.update_lane(index) : begin(bite, index, now);
}

bool ReadyWork::may_be_stolen(const Bite& bite, OwnerId owner) const noexcept {
  return bite.waiting > 0 && bite.owner == owner &&
         !Turns::is_stopped(turns_.type(turns_.lane(bite.lane).type));
}

// Takes the back half of the bite that has the most jobs which wait.
bool ReadyWork::steal(OwnerId owner, std::uint32_t thief) noexcept {
  Bite* from = nullptr;
  for (std::uint32_t i = 0; i < workers_.size(); ++i) {
    Bite& bite = workers_[i].bite;
    if (!may_be_stolen(bite, owner)) continue;
    if (from == nullptr || bite.waiting > from->waiting) from = &bite;
  }
  if (from == nullptr) return false;
  Bite& to = workers_[thief].bite;
  to.owner = from->owner;
  to.type = from->type;
  to.lane = from->lane;
  to.begun = from->begun;
  to.window = from->window;
  const std::uint32_t stays = from->waiting / 2;
  std::uint32_t seen = 0;
  for (std::uint32_t i = 0, count = from->count; i < count; ++i) {
    Item& item = from->items[i];
    if (item.state != Item::State::kWaiting || seen++ < stays) continue;
    claimed_.find(item.job)->holder = static_cast<std::uint16_t>(thief);
    to.add(item);
    from->remove(item);
  }
  return true;
}

bool ReadyWork::can_steal(OwnerId owner) const noexcept {
  for (std::uint32_t i = 0; i < workers_.size(); ++i)
    if (may_be_stolen(workers_[i].bite, owner)) return true;
  return false;
}

bool ReadyWork::may_go_on(const Bite& bite, Instant now) noexcept {
  const std::uint32_t type = turns_.lane(bite.lane).type;
  const Duration age = now - bite.begun;
  // The first job starts in any case. A clock that was set back ends the bite.
  const bool in_time =
      bite.next == 0 || (age >= Duration{} && age < turns_.type(type).settings.bite_time);
  return in_time && turns_.move_to_now(type, bite.window, now);
}

const Item* ReadyWork::start_next(std::uint32_t worker, Instant now) noexcept {
  Bite& bite = workers_[worker].bite;
  Item* const item = bite.next_waiting();
  if (item == nullptr) return nullptr;
  if (!may_go_on(bite, now)) {
    for (std::uint32_t i = bite.count; i-- > 0;)
      if (bite.items[i].state == Item::State::kWaiting) give_back(worker, bite.items[i].job, now);
    return nullptr;
  }
  item->state = Item::State::kStarted;
  --bite.waiting;
  ++bite.next;
  return item;
}

void ReadyWork::mark_committed(std::uint32_t worker, JobNumber job) noexcept {
  Bite& bite = workers_[worker].bite;
  for (std::uint32_t i = 0; i < bite.next; ++i) {
    Item& item = bite.items[i];
    if (item.state == Item::State::kStarted && (job == 0 || item.job == job))
      item.state = Item::State::kCommitted;
  }
}

// The lane is in use as long as its claim counts, so turns_.end() comes last.
void ReadyWork::finish(JobNumber job, Instant now) noexcept {
  const Claim claim = claimed_.erase(job);
  const bool is_forgotten = turns_.type(turns_.lane(claim.lane).type).is_forgotten;
  for (std::uint8_t segment = 0; !is_forgotten && segment < kSegments; ++segment)
    if ((claim.met >> segment & 1U) != 0) append(claim.lane, span_of(job, job, segment, {}), now);
  turns_.end(claim.lane);
}

void ReadyWork::end(std::uint32_t worker, JobNumber job, Instant now) noexcept {
  Bite& bite = workers_[worker].bite;
  bite.remove(*bite.find(job));
  finish(job, now);
}

void ReadyWork::give_back(std::uint32_t worker, JobNumber job, Instant now) noexcept {
  Bite& bite = workers_[worker].bite;
  const Item& item = *bite.find(job);
  if (item.state == Item::State::kWaiting) turns_.unbook(turns_.lane(bite.lane).type, bite.window);
  prepend(bite.lane, span_of(job, job, item.segment, item.tid));
  end(worker, job, now);
}

bool ReadyWork::hand_over(std::uint32_t worker, JobNumber job) noexcept {
  if (outside_ == most_outside_) return false;
  ++outside_;
  Bite& bite = workers_[worker].bite;
  bite.remove(*bite.find(job));
  claimed_.find(job)->holder = Claim::kOutside;
  return true;
}

bool ReadyWork::restore_outside(const Jobs& job, Instant now) noexcept {
  const std::uint32_t type = turns_.find_or_add_type(job.type);
  if (type == kNone || outside_ == most_outside_ || claimed_.find(job.first) != nullptr)
    return false;
  const std::uint32_t lane = turns_.lane_for(type, job.key, job.priority);
  claimed_.insert({job.first, lane, Claim::kOutside, 0});
  ++outside_;
  turns_.start(lane, 1, now);
  return true;
}

bool ReadyWork::is_outside(JobNumber job) noexcept {
  const Claim* const claim = claimed_.find(job);
  return claim != nullptr && claim->holder == Claim::kOutside;
}

void ReadyWork::end_outside(JobNumber job, Instant now) noexcept {
  --outside_;
  finish(job, now);
}

void ReadyWork::give_back_outside(JobNumber job, std::uint8_t segment, Instant now) noexcept {
  prepend(claimed_.find(job)->lane, span_of(job, job, segment, {}));
  end_outside(job, now);
}

void ReadyWork::book_starts(TypeId id, std::uint32_t count, Instant now) noexcept {
  if (const std::uint32_t type = turns_.find_type(id); type != kNone) turns_.book(type, count, now);
}

void ReadyWork::leave(std::uint32_t index, Instant now) noexcept {
  Worker& worker = workers_[index];
  // From the back, so that the jobs stand in their order again.
  for (std::uint32_t i = worker.bite.count; i-- > 0;) {
    const Item& item = worker.bite.items[i];
    if (item.state == Item::State::kCommitted)
      end(index, item.job, now);
    else if (item.state != Item::State::kGone)
      give_back(index, item.job, now);
  }
  if (worker.reading_span != kNone)
    put_back(index, nullptr, 0, spans_[worker.reading_span].first - 1, now);
}

void ReadyWork::take_to_read(std::uint32_t worker, std::uint32_t index) noexcept {
  Lane& lane = turns_.lane(index);
  workers_[worker].reading_lane = index;
  workers_[worker].reading_span = spans_.take_front(lane.spans);
  ++lane.reading;
  turns_.update_lane(index);
}

ReadyWork::Reading ReadyWork::reading(std::uint32_t index) const noexcept {
  const Worker& worker = workers_[index];
  const Lane& lane = turns_.lane(worker.reading_lane);
  const Span& span = spans_[worker.reading_span];
  return {turns_.type(lane.type).id,
          lane.is_shared,
          lane.key,
          worker.reading_lane % kSharedLanes,
          span.segment,
          span.first,
          span.last};
}

void ReadyWork::put_back(std::uint32_t index, const Found* found, std::uint32_t count,
                         JobNumber read_until, Instant now) noexcept {
  Worker& worker = workers_[index];
  const std::uint32_t from = worker.reading_lane;
  Lane& lane = turns_.lane(from);
  Span& span = spans_[worker.reading_span];
  const std::uint8_t segment = span.segment;
  // If the type has been forgotten meanwhile, so is the span.
  if (turns_.type(lane.type).is_forgotten) count = 0, read_until = span.last;
  if (read_until >= span.last) {
    spans_.release(worker.reading_span);
  } else {
    span.first = read_until + 1;
    span.exact_last = read_until;
    spans_.put_front(lane.spans, worker.reading_span);
  }
  // From the back, so that they stand in their order. If spans are short, the last one put in front
  // is widened over the others: then its first number is exact, and the rest is read again.
  for (std::uint32_t i = count; i-- > 0;) {
    const Span single = span_of(found[i].job, found[i].job, segment, found[i].tid);
    const std::uint32_t own = turns_.lane_for_read(from, found[i].key);
    own == from ? prepend(from, single) : append(own, single, now);
  }
  worker.reading_lane = worker.reading_span = kNone;
  --lane.reading;
  turns_.update_lane(from);
}

ReadyWork::Held ReadyWork::hold(JobNumber job, bool may_hold) noexcept {
  Claim* const claim = claimed_.find(job);
  if (claim != nullptr && claim->holder == Claim::kHold) return {Held::Result::kInUse, 0};
  if (claim != nullptr && claim->holder == Claim::kOutside) return {Held::Result::kOutside, 0};
  if (claim != nullptr) {
    Bite& bite = workers_[claim->holder].bite;
    Item& item = *bite.find(job);
    if (item.state != Item::State::kWaiting) return {Held::Result::kRunning, claim->holder};
  }
  if (!may_hold || holds_ == most_holds_) return {Held::Result::kNoRoom, 0};
  ++holds_;
  if (claim == nullptr) {
    claimed_.insert({job, kNone, Claim::kHold, 0});
    return {};
  }
  Bite& bite = workers_[claim->holder].bite;
  const std::uint32_t lane = claim->lane;
  Item& item = *bite.find(job);
  claim->holder = Claim::kHold;
  claim->lane = kNone;
  // The hint went into the bite. If the session finds no row, release() alone knows of it.
  claim->met = static_cast<std::uint8_t>(claim->met | 1U << item.segment);
  turns_.unbook(turns_.lane(lane).type, bite.window);
  bite.remove(item);
  turns_.end(lane);
  return {};
}

std::uint8_t ReadyWork::release(JobNumber job) noexcept {
  --holds_;
  return claimed_.erase(job).met;
}

void ReadyWork::begin_reread(std::uint8_t segment) noexcept {
  rereads_wanted_ &= ~(1U << segment);
  rereads_begun_ |= 1U << segment;
}

void ReadyWork::end_reread(std::uint8_t segment) noexcept { rereads_begun_ &= ~(1U << segment); }

void ReadyWork::abandon_rereads() noexcept {
  rereads_wanted_ |= rereads_begun_;
  rereads_begun_ = 0;
}

}  // namespace metrics_refresh::core::queue
