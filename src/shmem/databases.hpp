// The registry of databases that have (or may have) the extension. It holds the next due time, the
// scheduler and the changed jobs of each database. A backend that commits a change posts it here.
// Therefore no process of the extension has to poll a table.
#pragma once

#include <cstdint>
#include <vector>

#include "pg/postgres.hpp"

namespace metrics_refresh::shmem {

inline constexpr int kMaxPostedJobs = 64;
inline constexpr int kMaxPostedCancels = 16;
inline constexpr TimestampTz kNever = PG_INT64_MAX;

/// The change that a transaction has made to roles. Each value includes the one before it.
enum class RoleNews : std::uint8_t {
  kNone,
  kRights,   // memberships or attributes changed
  kGone,     // some were dropped
  kRenamed,  // some were renamed
};

/// The news since the last call of take_changes(): changed jobs, group runs to cancel, and changes
/// of roles. `all` is set if too many jobs changed to list them.
struct Changes {
  bool any;
  bool all;
  RoleNews roles;
  int count;
  std::int64_t jobs[kMaxPostedJobs];
  int canceled_count;
  std::int64_t canceled_groups[kMaxPostedCancels];
};

struct DatabaseEntry {
  Oid database;                 // InvalidOid if the entry is free
  bool wanted;                  // a scheduler must run, regardless of next_due
  bool starting;                // a scheduler was started and has not reported yet
  int waiting;                  // number of runs that wait for a worker
  TimestampTz waiting_since;    // when the first of them began to wait; 0 if there is none
  PGPROC* scheduler;            // null if none runs
  std::uint64_t wakes;          // number of times that a running scheduler was woken
  TimestampTz next_due;         // of the earliest job, or kNever
  TimestampTz not_before;       // no scheduler starts before this (back-off after a failure)
  TimestampTz sent_away_until;  // nor before this (a session needs the database alone)
  int failures;                 // consecutive failed starts
  bool has_queue;               // workers have to perform queued jobs (queue_share.hpp)
  std::int64_t looks_at;        // when the scheduler wakes up by itself, by pg::steady_now(), or
                                // kNever
  Changes changes;
};

/// Posts that these jobs of `database` changed, and wakes its scheduler or the launcher. Raises no
/// error, so it may run at commit. Issues a warning if the registry is full.
/// REQUIRES: the area exists; `jobs` has `count` numbers, or is null for all jobs.
void post_changes(Oid database, const std::int64_t* jobs, int count) noexcept;
/// Wakes the scheduler of the database, which then handles all pending work. Otherwise like
/// post_changes().
void wake_scheduler(Oid database) noexcept;

/// Makes the launcher check every database, including those without an entry. Never raises.
/// REQUIRES: the area exists.
void post_all_databases() noexcept;

/// Posts the news to all databases. If no scheduler runs in one, a rename starts it. Other news
/// waits for its next start. Never raises. REQUIRES: the area exists.
void post_roles(RoleNews news) noexcept;

// For backends.

/// Asks the scheduler of `database` to cancel the run of a group and its members. Returns false if
/// too many such requests are pending or the database has no entry.
bool post_group_cancel(Oid database, std::int64_t group_run_id);

/// Terminates the scheduler and the workers of the database, and prevents new ones for a short
/// time. A command that needs the database alone can thus proceed. The caller does not wait for
/// their end, because the server does.
void send_away(Oid database) noexcept;

// For the launcher.

/// A database that needs a scheduler now. Its entry is marked as starting. If there is none,
/// `database` is InvalidOid, and `look_again` is the time of the next need, or kNever.
struct NeedOfScheduler {
  Oid database;
  TimestampTz look_again;
};
/// A scheduler is needed `lead` microseconds before the database is due.
NeedOfScheduler claim_start(TimestampTz now, std::int64_t lead);
/// Cancels a claim if no process could be started.
void release_start(Oid database);
/// True from claim_start() until the scheduler reports or leaves.
bool is_starting(Oid database);
/// Ends a start whose process exited without a report, and delays the next one.
void abandon_start(Oid database);
/// True once after post_all_databases().
bool take_all_databases();
/// Forgets starts that an earlier launcher left unfinished.
void clear_starts();
/// Requests a scheduler for every database. If the clock was set back, all due times must be
/// computed again.
void want_all();
/// Databases whose last scheduler failed, perhaps because the database was dropped.
std::vector<Oid> failing_databases();
/// The number of databases that have the extension, or may have it.
int known_databases();
/// Removes the entry of a database that was dropped.
void remove_database(Oid database) noexcept;

// For the scheduler.

/// Makes the calling process the scheduler of `database`. Returns false if another one runs, the
/// database has no entry, or send_away() was called a moment ago.
bool attach_scheduler(Oid database);

/// Ends the service of this process as scheduler at its exit. `failed` delays the next start.
void detach_scheduler(Oid database, bool failed) noexcept;

/// Removes the entry of the database, because it has no extension any more. If a change was posted
/// meanwhile, returns false and keeps the entry with `wanted` set. REQUIRES: the caller is its
/// scheduler.
bool forget_database(Oid database);

/// The number of times that the scheduler of the database was woken. If it has grown since the
/// scheduler took its news, it must not sleep. Its latch may be reset, because waits for locks
/// reset it.
std::uint64_t times_woken(Oid database);

/// Returns the posted changes and clears them. REQUIRES: the caller is the scheduler.
Changes take_changes(Oid database);

/// Publishes the next due time and the number of runs that wait for a worker. `looks_at` is the
/// time at which the scheduler wakes up by itself, by pg::steady_now(). Both times may be kNever.
void publish_schedule(Oid database, TimestampTz next_due, int waiting, std::int64_t looks_at);

/// Ends the service of the caller as scheduler of `database`. From then on the launcher starts
/// another one if there is news. Returns false and changes nothing if there is work: posted
/// changes, open hand-overs, or runs whose end was not collected.
bool leave_database(Oid database);

// For the files of this folder. REQUIRES: the lock is held.

/// The entry of the database, or null. For InvalidOid, a free entry.
DatabaseEntry* find_database_locked(Oid database) noexcept;
/// True if send_away() was called a moment ago.
bool is_sent_away(const DatabaseEntry& entry, TimestampTz now) noexcept;
/// Marks the database as served by no scheduler. If the scheduler `failed`, the next one is
/// delayed.
void end_service_locked(DatabaseEntry& entry, bool failed) noexcept;

/// True if the database has an entry and send_away() was not called a moment ago.
bool may_be_entered_locked(Oid database) noexcept;

/// True if the database has an entry.
bool is_known_locked(Oid database) noexcept;

/// Wakes the scheduler of `database`, or makes the launcher start one.
void wake_scheduler_locked(Oid database) noexcept;

/// True if the scheduler of the database wakes up by itself at or before that time, by
/// pg::steady_now().
bool looks_before_locked(Oid database, std::int64_t time) noexcept;

/// Wakes every scheduler whose runs wait for a worker slot.
void wake_waiting_locked() noexcept;

/// The state of one database, for health() and tests.
struct DatabaseStatus {
  bool known;
  bool scheduler_running;
  int waiting;                // number of runs that wait for a worker
  TimestampTz waiting_since;  // 0 if there is none
  TimestampTz next_due;
};
DatabaseStatus database_status(Oid database);
bool launcher_running();

/// Registers this process as the launcher, and removes it at its exit. REQUIRES: inside pg::call(),
/// or in a callback of the server.
void attach_launcher() noexcept;
void detach_launcher() noexcept;
/// The number of databases that can be served.
int max_databases() noexcept;

}  // namespace metrics_refresh::shmem
