// The turns of ready work: owner, band of priorities, type, lane.
//
//   owners that have ready work take turns; a worker serves one owner
//     an owner has up to 8 bands, one for each priority in use; more priorities join the nearest
//       in a band, types take turns
//         in a type, lanes take turns; a lane holds the jobs of one key
//
// The band with the longest waiting front lane comes next. A lane waits since its last turn, or
// since it got work, and each step of priority counts as kStep of waiting. So higher priorities
// come first, a lane with a low one gets a turn at the latest when it has waited for kStep times
// the difference, and a flood gains nothing from the age of its jobs.
//
// A lane is in its ring if it has spans and its key is below the limit of its type. A type is in
// the rings of its bands that have such lanes if it may start jobs. An owner is in its ring if one
// of its bands has such types. Each of them joins a ring at the end, and so waits for one turn of
// each other.
//
// If lanes are short, keys without a lane share kSharedLanes lanes of their type. A key never has
// jobs in its own lane and in the shared one: it gets a lane only if the shared one is idle, and
// its jobs go to its own lane as long as it has one. So the limit of a key is never exceeded: the
// keys of a shared lane count as one. A type gets a new lane only if it has fewer lanes than are
// free, so types leave lanes to others.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstddef>
#include <cstdint>

#include "core/instant.hpp"
#include "core/queue/array.hpp"
#include "core/queue/rate_window.hpp"
#include "core/queue/spans.hpp"
#include "core/queue/table.hpp"

namespace metrics_refresh::core::queue {

using TypeId = std::int32_t;
/// Jobs of one owner are for the same workers. A type whose jobs are claimed by name, from outside,
/// is an owner of its own. 0: the owner of types that are not known yet.
using OwnerId = std::uint64_t;
/// The hash of a job's key; 0 if it has none. The limit of a key does not hold for jobs without
/// one.
using KeyHash = std::uint64_t;

constexpr std::uint32_t kBands = 8;
constexpr std::uint32_t kSharedLanes = 4;

struct TypeSettings {
  OwnerId owner = 0;
  std::uint32_t concurrency = 0;          // claimed jobs at a time; 0: no limit
  std::uint32_t concurrency_per_key = 0;  // the same for a key
  std::uint32_t rate_limit = 0;           // starts in any period; 0: no limit
  Duration rate_period{1'000'000};        // greater than 0
  std::uint32_t bite = 1;                 // the most jobs that a worker claims at once
  Duration bite_time{1000};               // after this time, those not started are given back
  bool paused = false;
};

struct Lane {
  KeyHash key = 0;
  std::uint32_t type = kNone;  // none if the lane is not in use
  std::uint32_t after = kNone;
  SpanList spans;
  Link turn;
  Instant waiting_since;
  std::uint32_t running = 0;  // claimed jobs
  std::uint32_t reading = 0;  // spans that are being read
  std::int16_t priority = 0;
  std::uint8_t band = 0;
  bool is_shared = false;

  std::uint64_t hash() const noexcept { return hash_of(type, key); }
  static std::uint64_t hash_of(std::uint32_t type, KeyHash key) noexcept {
    return mixed(key ^ (std::uint64_t{type} << 40));
  }
};

struct Type {
  struct Band {
    Ring lanes;
    Link turn;
    Instant last_turn;
  };
  TypeId id = 0;
  std::uint32_t after = kNone;
  TypeSettings settings;
  bool is_known = false;        // the settings are
  bool is_suspended = false;    // they have changed, and set_type() was not called yet
  bool is_forgotten = false;    // hints for its jobs are dropped
  std::uint32_t owner = kNone;  // the index of settings.owner
  std::uint32_t running = 0;
  std::uint32_t lanes = 0;  // in use, with shared ones
  RateWindow rate;
  Link rate_waiting;  // among the types that wait for their rate
  Band bands[kBands];

  std::uint64_t hash() const noexcept { return hash_of(id); }
  static std::uint64_t hash_of(TypeId id) noexcept { return mixed(static_cast<std::uint64_t>(id)); }
};

struct Owner {
  struct Band {
    std::int16_t priority = 0;
    std::uint32_t lanes = 0;  // the band is in use if there are lanes
    Ring types;
  };
  OwnerId id = 0;
  std::uint32_t after = kNone;
  std::uint32_t types = 0;
  Link turn;
  Band bands[kBands];

  std::uint64_t hash() const noexcept { return mixed(id); }
};

class Turns {
 public:
  /// A step of priority counts as this time of waiting.
  static constexpr Duration kStep = std::chrono::seconds{10};

  static std::size_t bytes(std::uint32_t lanes, std::uint32_t types) noexcept;
  void place(std::byte*& memory, std::uint32_t lanes, std::uint32_t types) noexcept;

  /// Returns kNone if it is not known.
  std::uint32_t find_type(TypeId id) const noexcept;
  /// Returns the type. If it is new, it starts nothing until set_type(). kNone: no room.
  std::uint32_t find_or_add_type(TypeId id) noexcept;
  void set_type(std::uint32_t type, const TypeSettings& settings, Instant now) noexcept;
  /// The type starts nothing, whatever its limits are.
  static bool is_stopped(const Type& type) noexcept {
    return !type.is_known || type.is_suspended || type.settings.paused;
  }
  /// The type starts nothing until set_type().
  void suspend_type(std::uint32_t type) noexcept;
  /// The settings hold no longer. The type is given up when no lane of it is in use.
  void forget_type(std::uint32_t type, Instant now) noexcept;

  /// The lane for a job with this key. The caller gives it a span, and calls update_lane().
  std::uint32_t lane_for(std::uint32_t type, KeyHash key, std::int16_t priority) noexcept;
  /// The lane of jobs with this key that are read from a span of the lane `from`.
  std::uint32_t lane_for_read(std::uint32_t from, KeyHash key) const noexcept;
  static std::uint32_t shared_lane(std::uint32_t type, KeyHash key) noexcept {
    return type * kSharedLanes + static_cast<std::uint32_t>(key % kSharedLanes);
  }

  /// Returns the lane that comes next for the owner, or kNone.
  std::uint32_t next_lane(OwnerId owner, Instant now) const noexcept;
  /// How many jobs of the lane may be claimed at once. REQUIRES: next_lane() has returned it.
  std::uint32_t allowance(std::uint32_t lane, Instant now) noexcept;
  /// Counts claimed jobs of the lane. The turn of its owner, its type and itself is over. Returns
  /// the number of the rate window in which the starts are booked.
  std::int64_t start(std::uint32_t lane, std::uint32_t count, Instant now) noexcept;
  /// A job of the lane is no longer claimed.
  void end(std::uint32_t lane) noexcept;
  /// Counts starts in the rate window that are known from elsewhere, as if they were made now.
  void book(std::uint32_t type, std::uint32_t count, Instant now) noexcept;
  /// Starts that were booked in the rate window when they were claimed: moves one to the present,
  /// or takes one back. Without a rate limit, neither does anything. move_to_now() returns false if
  /// the rate forbids the start; then the type waits.
  bool move_to_now(std::uint32_t type, std::int64_t window, Instant now) noexcept;
  void unbook(std::uint32_t type, std::int64_t window) noexcept;

  /// Call this after each change of the lane's spans, or of `reading`. A lane without spans, claims
  /// and reads is given up.
  void update_lane(std::uint32_t lane) noexcept;

  /// Whether the owner has ready work.
  bool has_work(OwnerId owner) const noexcept;
  /// The owner with ready work whose last turn is longest ago; 0 if there is none.
  OwnerId next_owner() const noexcept;
  /// Lets types start again whose rate permits it. Returns true if there is one.
  bool open_rates(Instant now) noexcept;
  /// When open_rates() has something to do; Instant::max() if no type waits.
  Instant rates_open_at() const noexcept { return rates_open_at_; }

  Lane& lane(std::uint32_t index) noexcept { return lanes_[index]; }
  const Lane& lane(std::uint32_t index) const noexcept { return lanes_[index]; }
  Type& type(std::uint32_t index) noexcept { return types_[index]; }
  const Type& type(std::uint32_t index) const noexcept { return types_[index]; }
  OwnerId owner_of(std::uint32_t type) const noexcept { return owners_[types_[type].owner].id; }
  std::uint32_t lane_count() const noexcept { return lanes_.size(); }
  std::uint32_t free_lanes() const noexcept { return lanes_.free_count(); }
  std::uint32_t free_types() const noexcept { return types_.free_count(); }
  /// Since when the longest waiting front lane of any band waits; Instant::max() if there is none.
  Instant oldest_turn_of(std::uint32_t type, Instant now) const noexcept;
  /// For types that are owners of their own: the one with the earliest instant comes next. A step
  /// of priority counts as kStep. A band waits since its last turn, so that lanes give a type no
  /// more turns. Instant::max() if no job may start.
  Instant turn_among_owners(std::uint32_t type, Instant now) const noexcept;

 private:
  static bool may_start(const Type& type) noexcept;
  std::uint32_t running_of_key(std::uint32_t lane) const noexcept;
  bool key_may_start(std::uint32_t lane) const noexcept;
  std::uint32_t find_owner(OwnerId id) const noexcept;
  std::uint32_t band_for(Owner& owner, std::int16_t priority) noexcept;
  std::uint32_t owner_for(OwnerId id) noexcept;
  void leave_owner(std::uint32_t owner) noexcept;
  void change_owner(std::uint32_t type, OwnerId id) noexcept;
  void erase_type(std::uint32_t type) noexcept;
  void use_lane(std::uint32_t index, std::uint32_t type, std::uint32_t band,
                std::int16_t priority) noexcept;
  void give_up_lane(std::uint32_t index) noexcept;
  template <typename Visit>
  void for_each_lane(std::uint32_t type, Visit&& visit) noexcept;
  template <typename Visit>
  void for_each_lane_of_key(std::uint32_t lane, Visit&& visit) const noexcept;
  void wait_for_rate(std::uint32_t type, Instant now) noexcept;
  void update_turn(std::uint32_t lane) noexcept;
  void update_band(std::uint32_t type, std::uint32_t band) noexcept;
  void update_type(std::uint32_t type) noexcept;

  auto turn_of_lane() noexcept {
    return [this](std::uint32_t i) -> Link& { return lanes_[i].turn; };
  }
  auto turn_of_type(std::uint32_t band) noexcept {
    return [this, band](std::uint32_t i) -> Link& { return types_[i].bands[band].turn; };
  }
  auto turn_of_owner() noexcept {
    return [this](std::uint32_t i) -> Link& { return owners_[i].turn; };
  }
  auto rate_waiting() noexcept {
    return [this](std::uint32_t i) -> Link& { return types_[i].rate_waiting; };
  }

  Table<Lane> lanes_;  // the shared ones of all types first
  Table<Type> types_;
  Table<Owner> owners_;
  Ring owners_ring_;
  Ring rate_waiting_;
  Instant rates_open_at_ = Instant::max();
  Instant rates_seen_at_;
};

}  // namespace metrics_refresh::core::queue
