// A job of the queue as a row, in memory of the server. The same struct is written and read.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::store::queue {

using core::queue::JobNumber;
using core::queue::KeyHash;
using core::queue::Tid;
using core::queue::TypeId;

/// The bits of Job::flags. The numbers are in the tables and in their indexes.
enum Flag : std::int16_t {
  kHasFailed = 1,  // an attempt has failed, and another one follows
  kIsSuspect = 2,  // the server crashed while it ran
};

/// A row of queue_hot, as far as it is known. Without a tid the row is found by the number.
struct Place {
  JobNumber id = 0;
  Tid tid;
  std::uint8_t segment = 0;
};

/// The children of queue_hot, and the segment of a job that is in none of them.
constexpr std::uint8_t kSegments = core::queue::kSegments;
constexpr std::uint8_t kNoSegment = 0xff;

/// One version of a job. Pointers are null if the value is NULL. The values lie in the memory
/// context that was current when the row was read. They are as stored, but not in a TOAST table:
/// they may be compressed or have a short header, so read them like an argument (DatumGetTextPP()).
/// The struct has no destructor, so it may cross pg::call().
struct Job {
  JobNumber id = 0;
  TimestampTz created_at = 0;
  TypeId type = 0;
  Oid enqueued_by = InvalidOid;  // InvalidOid: unknown, since the job was restored from a dump
  std::int16_t version = 0;      // of its row in queue_hot; see next_version()
  std::int16_t attempts = 0;     // that have failed
  std::int16_t priority = 0;
  std::int16_t crashes = 0;  // of the server, while it ran
  std::int16_t flags = 0;    // Flag
  std::optional<std::int16_t> max_attempts;
  std::optional<TimestampTz> run_at;
  std::optional<std::int64_t> batch;
  std::optional<std::int64_t> unique_hash;  // of unique_key, and of the type
  std::optional<TimestampTz> unique_until;  // to this time the key is unique in every state
  const text* key = nullptr;                // keys are not compressed: at most 200 bytes
  const text* unique_key = nullptr;
  const text* last_error = nullptr;
  const Jsonb* payload = nullptr;  // never null in a row

  /// Where it is in queue_hot. A job that was read from another table has kNoSegment.
  std::uint8_t segment = kNoSegment;
  Tid tid;

  Place place() const noexcept { return {id, tid, segment}; }
  bool has(Flag flag) const noexcept { return (flags & flag) != 0; }
};

/// The version of the next row of a job in queue_hot. Each row has its own, since (id, version) is
/// unique among the end marks of a segment. It begins again after 32,767 rows.
inline std::int16_t next_version(std::int16_t version) noexcept {
  return version == PG_INT16_MAX ? std::int16_t{0} : static_cast<std::int16_t>(version + 1);
}

/// A value of Job, in the current memory context.
const text* make_text(std::string_view value);

/// The lane of a key (core/queue/turns.hpp). Returns 0 for null, and never otherwise.
KeyHash key_hash(const text* key) noexcept;
/// The value of Job::unique_hash.
std::int64_t unique_hash(TypeId type, const text* unique_key) noexcept;

}  // namespace metrics_refresh::store::queue
