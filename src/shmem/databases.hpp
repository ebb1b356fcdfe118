// The registry of databases that have (or may have) the extension: when each is next due, which
// scheduler serves it, and which of its jobs changed. A backend that commits a change posts it
// here, so that no process of ours ever polls a table.
#pragma once

#include <cstdint>
#include <vector>

#include "pg/postgres.hpp"

namespace metrics_refresh::shmem {

inline constexpr int kMaxPostedJobs = 64;
inline constexpr int kMaxPostedCancels = 16;
inline constexpr TimestampTz kNever = PG_INT64_MAX;

/// What a transaction has done to roles, each more than the one before it.
enum class RoleNews : std::uint8_t {
  kNone,
  kRights,   // memberships or attributes are others
  kGone,     // some were dropped
  kRenamed,  // some were renamed
};

/// News since the scheduler last asked: jobs that changed, `all` where they were too many to name,
/// group runs that somebody wants cancelled, and what happened to roles.
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
  Oid database;                 // InvalidOid: a free entry
  bool wanted;                  // a scheduler shall run, whatever next_due says
  bool starting;                // the launcher has asked for a scheduler that has not reported yet
  int waiting;                  // how many runs wait for a worker
  TimestampTz waiting_since;    // since when some do; 0 where none does
  PGPROC* scheduler;            // null while none runs
  std::uint64_t wakes;          // how often one that ran was woken
  TimestampTz next_due;         // of the earliest job, or kNever
  TimestampTz not_before;       // the launcher starts none before this (back-off after a failure)
  TimestampTz sent_away_until;  // nor before this: somebody wants the database for themselves
  int failures;                 // starts in a row that ended badly
  std::int64_t looks_at;  // when the scheduler looks at its workers whatever happens, or kNever;
                          // by pg::steady_now()
  Changes changes;
};

/// Posts that these jobs of `database` changed and wakes whoever must know. Never raises but for
/// a warning where the registry is full, so it may run at commit.
/// REQUIRES: the area exists; `count` ids at `jobs`, or null for all.
void post_changes(Oid database, const std::int64_t* jobs, int count) noexcept;
/// Wakes the scheduler of the database, which then looks at all that is left over. As above.
void wake_scheduler(Oid database) noexcept;

/// Has the launcher have every database looked into, also one that is not known yet. Never raises.
/// REQUIRES: the area exists.
void post_all_databases() noexcept;

/// Tells the schedulers of all databases. Where none runs, one is started after a rename; else the
/// next one will know. Never raises.
/// REQUIRES: the area exists.
void post_roles(RoleNews news) noexcept;

// For backends.

/// Asks the scheduler of `database` to cancel the run of a group and its members. False where too
/// many such requests wait for it.
bool post_group_cancel(Oid database, std::int64_t group_run_id);

/// Terminates the scheduler and the workers of the database, and lets none start for a little
/// while, so that somebody can have the database to themselves. The server waits for their end.
void send_away(Oid database) noexcept;

// For the launcher.

/// Which database needs a scheduler now: its entry is marked as starting. Where none does,
/// `database` is InvalidOid and `look_again` the earliest time at which one will, or kNever.
struct NeedOfScheduler {
  Oid database;
  TimestampTz look_again;
};
/// A scheduler is needed `lead` microseconds before the database is due.
NeedOfScheduler claim_start(TimestampTz now, std::int64_t lead);
/// Takes a claim back: no process could be started.
void release_start(Oid database);
/// True from claim_start() until the scheduler reports or leaves.
bool is_starting(Oid database);
/// Ends a start whose process came to nothing, and delays the next one.
void abandon_start(Oid database);
/// True once after post_all_databases().
bool take_all_databases();
/// Forgets starts that an earlier launcher left unfinished.
void clear_starts();
/// Has a scheduler started for every database: the clock was set back, and they must plan anew.
void want_all();
/// Databases whose scheduler keeps failing, perhaps because they were dropped.
std::vector<Oid> failing_databases();
/// How many databases have the extension, or may have it.
int known_databases();
/// Removes the entry of a database that is gone.
void remove_database(Oid database) noexcept;

// For the scheduler.

/// Makes the calling process the scheduler of `database`. False where another one lives, or the
/// database has no entry.
bool attach_scheduler(Oid database);

/// The scheduler's leave-taking, safe at process exit. `failed` delays the next start.
void detach_scheduler(Oid database, bool failed) noexcept;

/// Removes the database's entry, as the extension is gone. False, and the entry stays with
/// `wanted` set, where a change was posted meanwhile. REQUIRES: the caller is its scheduler.
bool forget_database(Oid database);

/// How often the database's scheduler was woken. If that has become more since it took its news, it
/// must not sleep: a wait for a lock may have reset its latch.
std::uint64_t times_woken(Oid database);

/// Hands over the posted changes and clears them. REQUIRES: the caller is its scheduler.
Changes take_changes(Oid database);

/// Publishes the next due time (or kNever), how many runs wait for a worker, and until when the
/// scheduler sleeps, by pg::steady_now() (or kNever).
void publish_schedule(Oid database, TimestampTz next_due, int waiting, std::int64_t looks_at);

/// Ends the caller's service as the scheduler of `database`: from here on the launcher starts
/// another one when there is news. False, and nothing changes, where there is news already: posted
/// changes, or runs that have not ended or of whose end nobody has taken note.
bool leave_database(Oid database);

// Under the lock, for the files of this folder.

/// The database's entry (of InvalidOid: a free one), or null.
DatabaseEntry* find_database_locked(Oid database) noexcept;
/// True where somebody wants the database to themselves.
bool is_sent_away(const DatabaseEntry& entry, TimestampTz now) noexcept;
/// No scheduler serves the database from here on. A failure delays the next one.
void end_service_locked(DatabaseEntry& entry, bool failed) noexcept;

/// True where the database has an entry and nobody wants it to themselves. REQUIRES: the lock is
/// held.
bool may_be_entered_locked(Oid database) noexcept;

/// True where the database has an entry. REQUIRES: the lock is held.
bool is_known_locked(Oid database) noexcept;

/// Wakes the scheduler of `database`, or has the launcher start one. REQUIRES: the lock is held.
void wake_scheduler_locked(Oid database) noexcept;

/// True where the database's scheduler wakes up by itself at that time or before, by
/// pg::steady_now(). REQUIRES: the lock is held.
bool looks_before_locked(Oid database, std::int64_t time) noexcept;

/// Wakes every scheduler that waits for a worker slot. REQUIRES: the lock is held.
void wake_waiting_locked() noexcept;

/// The state of one database, for health and tests.
struct DatabaseStatus {
  bool known;
  bool scheduler_running;
  int waiting;                // runs that wait for a worker
  TimestampTz waiting_since;  // 0 where none does
  TimestampTz next_due;
};
DatabaseStatus database_status(Oid database);
bool launcher_running();

/// For the launcher: enters this process, and removes it at its exit. REQUIRES: inside pg::call(),
/// or in a callback of the server.
void attach_launcher() noexcept;
void detach_launcher() noexcept;
/// The number of databases that can be served.
int max_databases() noexcept;

}  // namespace metrics_refresh::shmem
