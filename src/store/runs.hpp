// The log: the rows that are written when a run begins, when it ends, and when its worker died
// before the end.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/jobs.hpp"

namespace metrics_refresh::store {

/// An error as it was raised. The log keeps the first 8 kB of each text.
struct RunError {
  std::string message;
  std::string sqlstate;
  std::string detail;
  std::string hint;
  std::string context;
  std::string query = {};  // the failed query inside a function; not logged

  /// `code` is one of the server's ERRCODE_ macros.
  bool is(int code) const { return sqlstate == unpack_sql_state(code); }
};
/// An error that this extension itself finds. Detail and hint are sentences or empty.
RunError run_error(int sqlstate, std::string message, std::string hint = {},
                   std::string detail = {});
/// The reason for the end of a run that is no error, so it has no SQLSTATE.
RunError run_reason(std::string message, std::string hint = {});
RunError describe_error(const pg::PgError& error);
/// Describes the exception that is being handled, of any type.
RunError describe_current_error();

/// The resources that a run consumed in its process.
struct Usage {
  std::int64_t wal_bytes = 0;
  std::int64_t buffers_hit = 0;
  std::int64_t buffers_read = 0;
  double cpu_ms = 0;
};

/// Measures from its construction.
class UsageMeter {
 public:
  UsageMeter() : start_(total()) {}
  Usage so_far() const;

 private:
  static Usage total();
  Usage start_;
};

/// The columns of run_log that are known when a run begins.
struct RunHead {
  std::optional<std::int64_t> run_id;  // none: take the next number
  // None for a refresh without a job, and for a member of a group.
  std::optional<std::int64_t> job_id;
  std::optional<std::string> job_name;
  std::optional<std::int64_t> group_run_id;  // of a member: the run of its group
  std::int64_t group_job_id = 0;             // of a member: the job of its group
  std::string view_schema;                   // empty for a command
  std::string view_name;
  std::string command;  // empty for a refresh
  std::string owner;    // of the view, or of the command
  Oid owner_oid = InvalidOid;
  bool manual = false;
  bool dependency = false;   // a member that waited for others
  int attempt = 1;           // more: a retry
  std::string initiated_by;  // only of a manual run
  std::optional<core::Instant> due;
  std::optional<core::Instant> handled_until;  // only of a scheduled run
  core::Instant started;
  int worker_pid = 0;
};

/// The head of a run of this job. The caller adds the time and the trigger of the run.
RunHead head_of(const JobRecord& job);

struct Outcome {
  RunStatus status = RunStatus::kRunning;
  std::optional<Strategy> strategy;  // none: the run failed or had nothing to do
  std::string strategy_reason;
  std::string result;   // of a command: the command tags of its statements
  std::string notices;  // of a command: the notices that a client would get
  std::optional<RunError> error;
  std::optional<std::int64_t> rows_total;
  // These three only if the strategy counts them separately.
  std::optional<std::int64_t> rows_inserted;
  std::optional<std::int64_t> rows_updated;
  std::optional<std::int64_t> rows_deleted;
  std::int64_t missed = 0;                   // due times that passed while the run was under way
  std::optional<core::Instant> last_missed;  // the latest of them
  Usage usage;
  bool permanent = false;            // the error will occur again
  std::optional<core::Retry> retry;  // the next attempt, if there is one
};

/// A job whose runs are interrupted this often in a row is suspended, because the job may be the
/// cause of the crashes.
inline constexpr int kSuspendAfterInterruptions = 10;

/// Inserts the `running` row and marks the due time as served in job_state. Returns the run's
/// number.
std::int64_t begin_run(pg::Spi& spi, const RunHead& head);

/// Ends a run that begin_run() began: completes its row and the state of the job. Suspends the job
/// after `suspend_after` permanent failures in a row (0: no limit), or after
/// kSuspendAfterInterruptions. Returns true if it suspended the job. Throws SqlError 55000 if the
/// row is not `running` any more, so that nothing is logged twice.
bool end_run(pg::Spi& spi, std::int64_t run_id, const Outcome& outcome, int suspend_after);

/// True if the log contains this run, by its number or by its job and due time.
bool is_logged(pg::Spi& spi, const RunHead& head);

/// Logs a run that is over, as one row. Returns its number.
std::int64_t log_ended_run(pg::Spi& spi, const RunHead& head, const Outcome& outcome);

/// Marks a due time as served although there was nothing to do, for example because the view does
/// not exist. Logs a `skipped` row the first time, and none for repetitions. Returns the run's
/// number, or 0 if nothing was logged.
std::int64_t log_skipped_run(pg::Spi& spi, const RunHead& head, const std::string& reason);

/// A run without a worker.
struct Orphan {
  std::int64_t run_id;
  std::int64_t job_id;  // of a member: the job of its group
};
/// Every run that was begun and has not ended. Excluded are `live_runs`, runs of `beginning_jobs`,
/// and runs of groups whose members are still under way. The caller closes the returned runs in
/// this transaction.
std::vector<Orphan> take_orphans(pg::Spi& spi, const std::vector<std::int64_t>& live_runs,
                                 const std::vector<std::int64_t>& beginning_jobs);
/// Ends it like end_run(). If it is the run of a member, the caller also ends the member
/// (groups.hpp).
bool close_orphan(pg::Spi& spi, const Orphan& orphan, const Outcome& outcome, int suspend_after);

/// Deletes ended runs that started before `limit`, in batches, and the state of jobs that no longer
/// exist. Returns the number of deleted runs.
std::int64_t remove_old_runs(pg::Spi& spi, core::Instant limit);

/// The status of a run that the current role may see, kQueued for a request, or nothing.
std::optional<RunStatus> run_status(pg::Spi& spi, std::int64_t run_id);

}  // namespace metrics_refresh::store
