// Adds jobs to the queue. Everything that enqueues comes here.
#pragma once

#include <vector>

#include "api/queue/known_type.hpp"
#include "store/queue/find.hpp"

namespace metrics_refresh::api {

/// Values that the jobs of a call share. The defaults are those of enqueue().
struct NewJobOptions {
  KnownType type;
  TimestampTz now = 0;
  std::int16_t priority = 0;
  std::optional<std::int16_t> max_attempts;
  std::optional<TimestampTz> run_at;
  std::optional<TimestampTz> unique_until;
  std::uint16_t unique_states = 0;  // store::queue::UniqueState
  std::int64_t batch = 0;           // 0: none
  std::vector<std::int64_t> after;  // open predecessors
};

/// Plain data in memory of the server.
struct NewJob {
  const Jsonb* payload;
  const text* key;         // or null
  const text* unique_key;  // or null
  store::queue::JobNumber id;
  bool is_duplicate;
  const NewJob* first;              // an earlier job of the same call with the same key; else null
  store::queue::UniqueState state;  // of the job with the same key
};

/// Throws SqlError 25006 in a transaction that only reads, and 55000 or 53400 if the database
/// cannot have a queue.
void begin_adding(const char* function);

/// Adds the jobs, in their order, and sets their numbers. REQUIRES: begin_adding() in this
/// statement; the values are checked. Throws SqlError 53400 beyond the share of the type's owner.
void add_jobs(const NewJobOptions& options, NewJob* jobs, std::size_t count);

/// Raises a notice that the job was not added, because another one has its unique key.
void report_duplicate(const NewJob& job);

}  // namespace metrics_refresh::api
