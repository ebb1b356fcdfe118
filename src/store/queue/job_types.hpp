// The table job_type: rows and structs. Privileges are not checked here: the callers check them and
// then act as the extension (extension::as_extension).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/jobs.hpp"
#include "store/queue/handlers.hpp"
#include "store/words.hpp"

namespace metrics_refresh::store {

namespace queue {

/// The column job_type.mode.
enum class JobMode { kExactlyOnce, kGrouped, kExternal };

struct JobType {
  int id = 0;
  std::string name;
  JobMode mode = JobMode::kExactlyOnce;
  Handler handler;
  std::string owner;  // as stored in the table; the role may have been renamed
  Oid owner_oid = InvalidOid;
  int max_attempts = 0;
  core::Duration backoff{};
  core::Duration max_backoff{};
  core::Duration timeout{};
  int concurrency = 0;          // at a time; 0: no limit
  int concurrency_per_key = 0;  // the same for a key
  int rate_limit = 0;           // starts in any rate_period; 0: no limit
  core::Duration rate_period{};
  int priority = 0;
  bool paused = false;

  /// The function at this moment, or InvalidOid.
  Oid find_function() const;
};

/// All types, by id.
std::vector<JobType> load_job_types(pg::Spi& spi);
std::optional<JobType> find_job_type(pg::Spi& spi, const std::string& name);
std::optional<JobType> find_job_type(pg::Spi& spi, int id);

/// The type with this name as committed last, or as this transaction has left it. Also in a
/// transaction whose snapshot is older.
std::optional<JobType> find_latest_job_type(pg::Spi& spi, const std::string& name);

/// Locks the row until the transaction ends. Waits for other sessions that change the type.
void lock_job_type(pg::Spi& spi, int id);

void insert_job_type(pg::Spi& spi, const Columns& columns);
void update_job_type(pg::Spi& spi, int id, const Columns& columns);
void delete_job_type(pg::Spi& spi, int id);

/// Numbers of the types that the caller may manage. REQUIRES: the caller's rights.
std::vector<std::int64_t> visible_types(pg::Spi& spi);

/// The same with their names, by name.
std::vector<std::pair<std::int64_t, std::string>> visible_type_names(pg::Spi& spi);

/// Reads all tables of jobs that have not ended. For a time at which their numbers are not known.
bool has_open_jobs(pg::Spi& spi, int type);

/// Names that begin or end like this one, of the types that the caller may see. REQUIRES: the
/// caller's rights.
std::vector<std::string> type_names_like(pg::Spi& spi, const std::string& name);

/// Those of the types that exist at this moment.
std::vector<std::int64_t> existing_types(pg::Spi& spi, const std::vector<std::int64_t>& types);

/// Stores the present names of handlers, their schemas and their owners, and the new functions of
/// handlers that were created again, so that a dump has them. Does not wait for locks: false if
/// another session holds a row.
bool follow_handlers(pg::Spi& spi);

}  // namespace queue

template <>
struct WordsOf<queue::JobMode> {
  static constexpr Word<queue::JobMode> all[] = {
      {queue::JobMode::kExactlyOnce, "exactly_once"},
      {queue::JobMode::kGrouped, "grouped"},
      {queue::JobMode::kExternal, "external"},
  };
};

}  // namespace metrics_refresh::store
