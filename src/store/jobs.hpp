// The tables job, job_state and run_request: conversion of rows to structs and back. Privileges are
// not checked here: the callers check them and then act as the extension (extension::as_extension).
// A function that reads the views instead of the tables, if it is asked to, runs as the caller.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/scheduler/retry_policy.hpp"
#include "pg/spi.hpp"
#include "store/bound_view.hpp"
#include "store/reads.hpp"
#include "store/words.hpp"

namespace metrics_refresh::store {

/// The columns that determine when a job is due.
struct JobTimes {
  std::string name;
  std::optional<std::string> schedule;  // none: runs only when triggered
  std::string timezone;                 // empty: the default
  std::optional<core::Instant> starts_at;
  std::optional<core::Instant> ends_at;
  std::vector<std::string> blackout;
  core::Duration jitter{};
  core::Instant last_end;  // the later of effective_from and the end of the last run
};

/// A row of job with its row of job_state.
struct JobRecord : JobTimes, BoundView {
  std::int64_t id = 0;
  std::string command;  // empty unless the job runs a command
  Strategy strategy = Strategy::kAuto;
  std::string owner;  // as stored in the table; the role may have been renamed
  bool active = true;
  bool is_default = false;
  core::Duration max_runtime{};
  core::Duration lock_timeout{};
  int priority = 0;
  core::RetryPolicy retry_policy;
  // valid during a run; pairs of name and value
  std::vector<std::pair<std::string, std::string>> settings;
  std::string group_schema;      // of a group that refreshes all views of a schema; else empty
  bool repeatable_read = false;  // of a group: all members in one transaction on one snapshot
  int max_parallel = 0;          // of a group: members at once; 0: no limit
  bool one_time = false;         // removed with the end of its run
  std::optional<core::Retry> retry;
  core::Instant effective_from;  // due times and failures before this are history
  core::Instant handled_until;   // the later of effective_from and the last due time served
  bool suspended = false;
  bool last_succeeded = false;  // the last run, if no retry is pending

  bool is_refresh() const { return !view_name.empty(); }
  bool is_command() const { return !command.empty(); }
  bool is_group() const { return !is_refresh() && !is_command(); }
  /// The name in the log and in messages: schema and name of the view without quotes, or empty.
  std::string view() const { return is_refresh() ? view_schema + "." + view_name : ""; }
};

/// All jobs, by id.
std::vector<JobRecord> load_jobs(pg::Spi& spi, Reads reads = Reads::kTables);
std::optional<JobRecord> find_job(pg::Spi& spi, std::int64_t id);

/// The job of a run that is requested or logged, if the job still exists. For the run of a member:
/// the job of its group.
std::optional<JobRecord> job_of_run(pg::Spi& spi, std::int64_t run_id);

/// Columns to write: pairs of column name and bound value.
using Columns = std::vector<std::pair<const char*, pg::Param>>;
/// Returns the id, or nothing if the owner already has a job with this name. The names of jobs made
/// for one run may be in use; inserting such a job does not wait for other sessions.
std::optional<std::int64_t> insert_job(pg::Spi& spi, const Columns& columns);
/// Writes the columns. If `restart` is set, only due times from now on count, and a suspension
/// ends.
void update_job(pg::Spi& spi, std::int64_t id, const Columns& columns, bool restart);
void delete_job(pg::Spi& spi, const JobRecord& job);

/// Only due times after the commit of this transaction count for the job. Before the commit none
/// counts. A deferred trigger calls start_due_times_now(), which sets the time to two seconds from
/// now.
void start_due_times_at_commit(pg::Spi& spi, const std::string& name, Oid owner);
bool has_jobs_waiting_for_commit(pg::Spi& spi);
void start_due_times_now(pg::Spi& spi);

/// The given name, as schema and name, of a view that was known as `before` and is now found under
/// this name. Both are empty if the given name is the present one.
std::pair<std::string, std::string> given_name_after(const BoundView& before,
                                                     const std::string& schema,
                                                     const std::string& name);

/// Stores the present oid of the view, and the new names of a view or an owner that was renamed.
/// Does not wait: if another session holds the row, it is left as it is.
void bind_job(pg::Spi& spi, const JobRecord& job, Oid view, const std::string& schema,
              const std::string& name, const std::string& owner);

/// A run that was requested by trigger().
struct Request {
  std::int64_t run_id;
  std::int64_t job_id;
  std::string requested_by;
};
/// Nothing if the job has been deleted in the meantime.
std::optional<std::int64_t> insert_request(pg::Spi& spi, std::int64_t job_id,
                                           const std::string& requested_by);
/// The requests of all jobs, oldest first.
std::vector<Request> load_requests(pg::Spi& spi);
std::optional<Request> find_request(pg::Spi& spi, std::int64_t run_id);
/// Deletes the request because its run begins. Nothing if the request is gone, or if another
/// session is about to withdraw it. If that session rolls back, the scheduler is told and tries the
/// request again.
std::optional<Request> take_request(pg::Spi& spi, std::int64_t run_id);
/// True if the current transaction made the request, so that other sessions do not see it yet.
bool is_requested_here(pg::Spi& spi, std::int64_t run_id);
/// Waits until no other session holds the request, or until it is gone. Only for sessions of
/// callers, never for a worker.
void await_request(pg::Spi& spi, std::int64_t run_id);

}  // namespace metrics_refresh::store
