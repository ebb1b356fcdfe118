// The tables job, job_state and run_request: conversion of rows to structs and back. Privileges are
// not checked here: the callers check them and then act as the extension (pg::as_extension). A
// function that reads the views instead of the tables, if it is asked to, runs as the caller.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/scheduler/retry_policy.hpp"
#include "pg/spi.hpp"
#include "store/bound_view.hpp"
#include "store/reads.hpp"

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
  std::string strategy;
  std::string owner;  // as stored in the table; the role may have been renamed
  bool active = true;
  bool is_default = false;
  core::Duration max_runtime{};
  core::Duration lock_timeout{};
  std::string on_missed;
  std::string on_overlap;
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

/// All jobs, or those of `ids`, by id.
std::vector<JobRecord> load_jobs(pg::Spi& spi, Reads reads = Reads::kTables);
std::vector<JobRecord> load_jobs(pg::Spi& spi, const std::vector<std::int64_t>& ids);
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
/// counts. A deferred trigger calls count_from_soon(), which sets the time to two seconds from now.
void count_from_commit(pg::Spi& spi, const std::string& name, Oid owner);
bool is_to_count_from_commit(pg::Spi& spi);
void count_from_soon(pg::Spi& spi);

/// The name that stays given, as a schema and a name, where a view that was known as `before` says
/// is found under this name: both empty where it is the same.
std::pair<std::string, std::string> name_given(const BoundView& before, const std::string& schema,
                                               const std::string& name);

/// Writes down what the job turned out to mean: the oid of its view, the name of a view or an owner
/// that was renamed. Waits for nobody: a row that somebody holds is left as it is.
void bind_job(pg::Spi& spi, const JobRecord& job, Oid view, const std::string& schema,
              const std::string& name, const std::string& owner);

/// A run that trigger() asked for.
struct Request {
  std::int64_t run_id;
  std::int64_t job_id;
  std::string requested_by;
};
/// Nothing where the job has been removed meanwhile.
std::optional<std::int64_t> insert_request(pg::Spi& spi, std::int64_t job_id,
                                           const std::string& requested_by);
/// Of all jobs, oldest first.
std::vector<Request> load_requests(pg::Spi& spi);
std::optional<Request> find_request(pg::Spi& spi, std::int64_t run_id);
/// Takes the request away, for its run begins. Nothing where it is gone, or where somebody is about
/// to withdraw it; should that be rolled back, the scheduler is told and the request comes again.
std::optional<Request> take_request(pg::Spi& spi, std::int64_t run_id);
/// True where the current transaction has made the request, so that nobody else sees it yet.
bool is_requested_here(pg::Spi& spi, std::int64_t run_id);
/// Waits for whoever holds the request, until it is one's own or gone. For a caller's session only.
void await_request(pg::Spi& spi, std::int64_t run_id);

}  // namespace metrics_refresh::store
