#include "core/queue/turns.hpp"

#include <algorithm>
#include <cstdlib>

// Each change ends with an update of the rings from below: a lane in the ring of its type's band,
// the type in the ring of its owner's band, the owner in the ring of owners. Each step compares the
// place that the element should have with the place that it has. So calling it too often is
// harmless, and a step that changes nothing is the last one.

namespace metrics_refresh::core::queue {

std::size_t Turns::bytes(std::uint32_t lanes, std::uint32_t types) noexcept {
  return Table<Lane>::bytes(types * kSharedLanes + lanes) + Table<Type>::bytes(types) +
         Table<Owner>::bytes(types + 1);
}

void Turns::place(std::byte*& memory, std::uint32_t lanes, std::uint32_t types) noexcept {
  lanes_.place(memory, types * kSharedLanes + lanes, types * kSharedLanes);
  types_.place(memory, types);
  owners_.place(memory, types + 1);
}

std::uint32_t Turns::find_type(TypeId id) const noexcept {
  return types_.find(Type::hash_of(id), [&](const Type& type) { return type.id == id; });
}

std::uint32_t Turns::find_or_add_type(TypeId id) noexcept {
  if (const std::uint32_t found = find_type(id); found != kNone) return found;
  if (types_.free_count() == 0) return kNone;
  Type type;
  type.id = id;
  type.owner = owner_for(0);
  return types_.insert(type);
}

std::uint32_t Turns::find_owner(OwnerId id) const noexcept {
  return owners_.find(mixed(id), [&](const Owner& owner) { return owner.id == id; });
}

// There is one owner more than types, so there is always room for the owner of a type.
std::uint32_t Turns::owner_for(OwnerId id) noexcept {
  std::uint32_t index = find_owner(id);
  if (index == kNone) {
    Owner owner;
    owner.id = id;
    index = owners_.insert(owner);
  }
  ++owners_[index].types;
  return index;
}

void Turns::leave_owner(std::uint32_t owner) noexcept {
  if (--owners_[owner].types == 0) owners_.erase(owner);
}

void Turns::erase_type(std::uint32_t index) noexcept {
  if (types_[index].rate_waiting.linked) rate_waiting_.remove(index, rate_waiting());
  leave_owner(types_[index].owner);
  types_.erase(index);
}

std::uint32_t Turns::band_for(Owner& owner, std::int16_t priority) noexcept {
  std::uint32_t best = 0;
  int best_distance = 0x20000;  // more than two priorities differ
  for (std::uint32_t band = 0; band < kBands; ++band) {
    const bool is_used = owner.bands[band].lanes != 0;
    // A band that is not in use is better than any that differs.
    const int distance = is_used ? std::abs(owner.bands[band].priority - priority) * 2 : 1;
    if (distance >= best_distance) continue;
    best = band;
    best_distance = distance;
  }
  return best;
}

void Turns::use_lane(std::uint32_t index, std::uint32_t type, std::uint32_t band,
                     std::int16_t priority) noexcept {
  Owner::Band& owners_band = owners_[types_[type].owner].bands[band];
  if (owners_band.lanes++ == 0) owners_band.priority = priority;
  ++types_[type].lanes;
  lanes_[index].type = type;
  lanes_[index].priority = priority;
  lanes_[index].band = static_cast<std::uint8_t>(band);
}

void Turns::give_up_lane(std::uint32_t index) noexcept {
  const Lane lane = lanes_[index];
  Type& type = types_[lane.type];
  --owners_[type.owner].bands[lane.band].lanes;
  --type.lanes;
  if (lane.is_shared)
    lanes_[index] = {};
  else
    lanes_.erase(index);
  if (type.lanes == 0 && !type.is_known) erase_type(lane.type);
}

std::uint32_t Turns::lane_for(std::uint32_t type, KeyHash key, std::int16_t priority) noexcept {
  const std::uint32_t band = band_for(owners_[types_[type].owner], priority);
  std::uint32_t of_key = kNone;
  const std::uint64_t hash = Lane::hash_of(type, key);
  const std::uint32_t found = lanes_.find(hash, [&](const Lane& lane) {
    if (lane.type != type || lane.key != key) return false;
    of_key = static_cast<std::uint32_t>(&lane - &lanes_[0]);
    return lane.band == band;
  });
  if (found != kNone) return found;
  const std::uint32_t shared = shared_lane(type, key);
  const bool may_take = types_[type].lanes < lanes_.free_count();
  if (may_take && (of_key != kNone || lanes_[shared].type == kNone)) {
    Lane lane;
    lane.type = type;
    lane.key = key;
    const std::uint32_t index = lanes_.insert(lane);
    use_lane(index, type, band, priority);
    return index;
  }
  if (of_key != kNone) return of_key;
  if (lanes_[shared].type == kNone) {
    lanes_[shared].is_shared = true;
    use_lane(shared, type, band, priority);
  }
  return shared;
}

std::uint32_t Turns::lane_for_read(std::uint32_t from, KeyHash key) const noexcept {
  if (!lanes_[from].is_shared) return from;
  const std::uint32_t type = lanes_[from].type;
  const std::uint32_t own = lanes_.find(Lane::hash_of(type, key), [&](const Lane& lane) {
    return lane.type == type && lane.key == key;
  });
  return own == kNone ? from : own;
}

template <typename Visit>
void Turns::for_each_lane(std::uint32_t type, Visit&& visit) noexcept {
  for (std::uint32_t i = 0; i < lanes_.size(); ++i)
    if (lanes_[i].type == type) visit(i);
}

// Visits all lanes that count for the limit of the lane's key: one for each of its priorities.
template <typename Visit>
void Turns::for_each_lane_of_key(std::uint32_t index, Visit&& visit) const noexcept {
  const Lane& lane = lanes_[index];
  if (lane.is_shared) return visit(index);
  lanes_.find(lane.hash(), [&](const Lane& other) {
    if (other.type == lane.type && other.key == lane.key)
      visit(static_cast<std::uint32_t>(&other - &lanes_[0]));
    return false;
  });
}

std::uint32_t Turns::running_of_key(std::uint32_t lane) const noexcept {
  std::uint32_t running = 0;
  for_each_lane_of_key(lane, [&](std::uint32_t i) { running += lanes_[i].running; });
  return running;
}

bool Turns::key_may_start(std::uint32_t index) const noexcept {
  const Lane& lane = lanes_[index];
  const std::uint32_t limit = types_[lane.type].settings.concurrency_per_key;
  const bool is_limited = limit != 0 && (lane.is_shared || lane.key != 0);
  return !is_limited || running_of_key(index) < limit;
}

bool Turns::may_start(const Type& type) noexcept {
  const std::uint32_t concurrency = type.settings.concurrency;
  return !is_stopped(type) && !type.rate_waiting.linked &&
         (concurrency == 0 || type.running < concurrency);
}

void Turns::update_turn(std::uint32_t index) noexcept {
  Lane& lane = lanes_[index];
  const bool belongs = !lane.spans.empty() && key_may_start(index);
  if (types_[lane.type].bands[lane.band].lanes.set(index, belongs, turn_of_lane()))
    update_band(lane.type, lane.band);
}

void Turns::update_band(std::uint32_t index, std::uint32_t band) noexcept {
  const Type& type = types_[index];
  Owner& owner = owners_[type.owner];
  const bool belongs = may_start(type) && !type.bands[band].lanes.empty();
  if (!owner.bands[band].types.set(index, belongs, turn_of_type(band))) return;
  bool has_types = false;
  for (const Owner::Band& each : owner.bands) has_types = has_types || !each.types.empty();
  owners_ring_.set(type.owner, has_types, turn_of_owner());
}

void Turns::update_type(std::uint32_t type) noexcept {
  for (std::uint32_t band = 0; band < kBands; ++band) update_band(type, band);
}

void Turns::update_lane(std::uint32_t index) noexcept {
  update_turn(index);
  const Lane& lane = lanes_[index];
  if (lane.spans.empty() && lane.running == 0 && lane.reading == 0) give_up_lane(index);
}

std::uint32_t Turns::next_lane(OwnerId id, Instant now) const noexcept {
  const std::uint32_t index = find_owner(id);
  if (index == kNone) return kNone;
  std::uint32_t best = kNone;
  Instant best_since = Instant::max();
  for (std::uint32_t band = 0; band < kBands; ++band) {
    const std::uint32_t type = owners_[index].bands[band].types.first;
    if (type == kNone) continue;
    const std::uint32_t front = types_[type].bands[band].lanes.first;
    const Lane& lane = lanes_[front];
    // After the clock was set back, no waiting can have begun in the future.
    const Instant since = std::min(lane.waiting_since, now) - lane.priority * kStep;
    if (since >= best_since) continue;
    best = front;
    best_since = since;
  }
  return best;
}

Instant Turns::oldest_turn_of(std::uint32_t type, Instant now) const noexcept {
  Instant oldest = Instant::max();
  for (const Type::Band& band : types_[type].bands)
    if (band.turn.linked)
      oldest = std::min(oldest, std::min(lanes_[band.lanes.first].waiting_since, now));
  return oldest;
}

Instant Turns::turn_among_owners(std::uint32_t type, Instant now) const noexcept {
  Instant next = Instant::max();
  for (const Type::Band& band : types_[type].bands) {
    if (!band.turn.linked) continue;
    const Lane& front = lanes_[band.lanes.first];
    const Instant since = std::min(std::max(front.waiting_since, band.last_turn), now);
    next = std::min(next, since - front.priority * kStep);
  }
  return next;
}

std::uint32_t Turns::allowance(std::uint32_t index, Instant now) noexcept {
  Type& type = types_[lanes_[index].type];
  const TypeSettings& settings = type.settings;
  std::uint32_t most = std::max(settings.bite, 1U);
  if (settings.concurrency != 0) most = std::min(most, settings.concurrency - type.running);
  if (settings.concurrency_per_key != 0 && (lanes_[index].is_shared || lanes_[index].key != 0))
    most = std::min(most, settings.concurrency_per_key - running_of_key(index));
  if (settings.rate_limit != 0) most = std::min(most, settings.rate_limit - type.rate.used(now));
  return most;
}

std::int64_t Turns::start(std::uint32_t index, std::uint32_t count, Instant now) noexcept {
  Lane& lane = lanes_[index];
  Type& type = types_[lane.type];
  lane.running += count;
  lane.waiting_since = now;
  type.bands[lane.band].last_turn = now;
  type.running += count;
  std::int64_t window = 0;
  if (type.settings.rate_limit != 0) {
    window = type.rate.book(now, count);
    if (type.rate.used(now) >= type.settings.rate_limit) wait_for_rate(lane.type, now);
  }
  type.bands[lane.band].lanes.end_turn(index, turn_of_lane());
  owners_[type.owner].bands[lane.band].types.end_turn(lane.type, turn_of_type(lane.band));
  owners_ring_.end_turn(type.owner, turn_of_owner());
  if (!may_start(type)) update_type(lane.type);
  if (type.settings.concurrency_per_key != 0)
    for_each_lane_of_key(index, [&](std::uint32_t i) { update_turn(i); });
  update_turn(index);
  return window;
}

void Turns::end(std::uint32_t index) noexcept {
  Lane& lane = lanes_[index];
  const std::uint32_t type_index = lane.type;
  Type& type = types_[type_index];
  const bool could_start = may_start(type);
  --lane.running;
  --type.running;
  if (may_start(type) != could_start) update_type(type_index);
  if (type.settings.concurrency_per_key != 0)
    for_each_lane_of_key(index, [&](std::uint32_t i) { update_turn(i); });
  if (lane.spans.empty()) update_lane(index);
}

void Turns::set_type(std::uint32_t index, const TypeSettings& settings, Instant now) noexcept {
  Type& type = types_[index];
  const bool has_new_period =
      settings.rate_limit != 0 &&
      (type.settings.rate_limit == 0 || type.settings.rate_period != settings.rate_period);
  const bool has_new_limit = type.settings.concurrency_per_key != settings.concurrency_per_key;
  if (owners_[type.owner].id != settings.owner) change_owner(index, settings.owner);
  type.settings = settings;
  type.is_known = true;
  type.is_suspended = type.is_forgotten = false;
  if (has_new_period) type.rate.set_period(settings.rate_period, now);
  if (type.rate_waiting.linked) rate_waiting_.remove(index, rate_waiting());
  if (settings.rate_limit != 0 && type.rate.used(now) >= settings.rate_limit)
    wait_for_rate(index, now);
  if (has_new_limit) for_each_lane(index, [&](std::uint32_t i) { update_turn(i); });
  update_type(index);
}

void Turns::suspend_type(std::uint32_t index) noexcept {
  types_[index].is_suspended = true;
  update_type(index);
}

// Takes the type's lanes out of the rings and bands of one owner, and into those of another. A
// band of the one may be two of the other, or the reverse.
void Turns::change_owner(std::uint32_t index, OwnerId id) noexcept {
  Type& type = types_[index];
  const bool was_known = type.is_known;
  type.is_known = false;  // so it leaves all rings of the owner
  update_type(index);
  const std::uint32_t old_owner = type.owner;
  const std::uint32_t new_owner = owner_for(id);
  for_each_lane(index, [&](std::uint32_t i) {
    Lane& lane = lanes_[i];
    if (lane.turn.linked) type.bands[lane.band].lanes.remove(i, turn_of_lane());
    --owners_[old_owner].bands[lane.band].lanes;
  });
  type.owner = new_owner;
  leave_owner(old_owner);
  for_each_lane(index, [&](std::uint32_t i) {
    --type.lanes;
    use_lane(i, index, band_for(owners_[new_owner], lanes_[i].priority), lanes_[i].priority);
    update_turn(i);
  });
  type.is_known = was_known;
}

void Turns::forget_type(std::uint32_t index, Instant now) noexcept {
  TypeSettings none;
  set_type(index, none, now);
  types_[index].is_known = false;
  types_[index].is_forgotten = true;
  update_type(index);
  if (types_[index].lanes == 0) erase_type(index);
}

void Turns::book(std::uint32_t index, std::uint32_t count, Instant now) noexcept {
  Type& type = types_[index];
  if (type.settings.rate_limit == 0) return;
  type.rate.book(now, count);
  if (type.rate.used(now) >= type.settings.rate_limit) wait_for_rate(index, now);
}

bool Turns::move_to_now(std::uint32_t index, std::int64_t window, Instant now) noexcept {
  Type& type = types_[index];
  const std::uint32_t limit = type.settings.rate_limit;
  if (limit == 0) return true;
  const bool may_start = type.rate.move(window, now, limit);
  if (type.rate.used(now) >= limit) wait_for_rate(index, now);
  return may_start;
}

void Turns::unbook(std::uint32_t index, std::int64_t window) noexcept {
  Type& type = types_[index];
  if (type.settings.rate_limit == 0) return;
  type.rate.unbook(window);
  if (type.rate_waiting.linked) rates_open_at_ = Instant::min();
}

void Turns::wait_for_rate(std::uint32_t index, Instant now) noexcept {
  Type& type = types_[index];
  if (type.rate_waiting.linked) return;
  rate_waiting_.append(index, rate_waiting());
  rates_open_at_ = std::min(rates_open_at_, type.rate.opens_at(now, type.settings.rate_limit));
  update_type(index);
}

bool Turns::open_rates(Instant now) noexcept {
  // A clock that was set back makes the noted moment worthless.
  const bool is_early = now < rates_open_at_ && now >= rates_seen_at_;
  if (rate_waiting_.empty() || is_early) {
    rates_seen_at_ = now;
    return false;
  }
  rates_seen_at_ = now;
  rates_open_at_ = Instant::max();
  bool opened = false;
  for (std::uint32_t index = rate_waiting_.first, after; index != kNone; index = after) {
    Type& type = types_[index];
    after = type.rate_waiting.after;
    if (type.rate.used(now) >= type.settings.rate_limit) {
      rates_open_at_ = std::min(rates_open_at_, type.rate.opens_at(now, type.settings.rate_limit));
      continue;
    }
    rate_waiting_.remove(index, rate_waiting());
    update_type(index);
    opened = true;
  }
  return opened;
}

bool Turns::has_work(OwnerId owner) const noexcept {
  const std::uint32_t index = find_owner(owner);
  return index != kNone && owners_[index].turn.linked;
}

OwnerId Turns::next_owner() const noexcept {
  return owners_ring_.empty() ? 0 : owners_[owners_ring_.first].id;
}

}  // namespace metrics_refresh::core::queue
