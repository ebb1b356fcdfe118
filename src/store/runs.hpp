// The log: what is written when a run begins, when it ends, and when nobody was left to end it.
// The words of `status` are those of the table run_log.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/jobs.hpp"

namespace metrics_refresh::store {

/// An error as it was. Of each text the log keeps the first 8 kB.
struct RunError {
  std::string message;
  std::string sqlstate;
  std::string detail;
  std::string hint;
  std::string context;
  std::string query = {};  // of a function's, which failed; not logged
};
RunError describe_error(const pg::PgError& error);
/// Of the exception being handled, whatever it is.
RunError describe_current_error();

/// What a run consumed in its process.
struct Usage {
  std::int64_t wal_bytes = 0;
  std::int64_t buffers_hit = 0;
  std::int64_t buffers_read = 0;
  double cpu_ms = 0;
};

/// Measures from its construction on.
class UsageMeter {
 public:
  UsageMeter() : start_(total()) {}
  Usage so_far() const;

 private:
  static Usage total();
  Usage start_;
};

/// Whose run it is and why: the columns of run_log that are known at its begin.
struct RunHead {
  std::optional<std::int64_t> run_id;  // none: the next number
  std::optional<std::int64_t> job_id;  // none: a refresh without a job, or a member of a group
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
  std::string initiated_by;  // of a manual run
  std::optional<core::Instant> due;
  std::optional<core::Instant> handled_until;  // of a run of the schedule
  core::Instant started;
  int worker_pid = 0;
};

/// The head of a run of this job; the caller adds when and why.
RunHead head_of(const JobRecord& job);

struct Outcome {
  std::string status;  // success, error, skipped, canceled or interrupted
  std::string strategy;
  std::string strategy_reason;
  std::string result;   // of a command: the tags of its statements
  std::string notices;  // of a command: what a client would have been told
  std::optional<RunError> error;
  std::optional<std::int64_t> rows_total;
  std::optional<std::int64_t> rows_inserted;  // these three where the strategy tells them apart
  std::optional<std::int64_t> rows_updated;
  std::optional<std::int64_t> rows_deleted;
  std::int64_t missed = 0;                   // due times that passed while the run was under way
  std::optional<core::Instant> last_missed;  // the latest of them
  Usage usage;
  bool permanent = false;            // an error that will come again
  std::optional<core::Retry> retry;  // when it will be tried again
};

/// A job whose run was interrupted this often in a row is suspended: it may be what ends the
/// server.
inline constexpr int kSuspendAfterInterruptions = 10;

/// Writes the `running` row and notes in job_state that the due time is served. Returns the run's
/// number.
std::int64_t begin_run(pg::Spi& spi, const RunHead& head);

/// Ends a run that begin_run() began: completes its row and the job's state, suspends the job where
/// `suspend_after` permanent failures in a row (0: any number), or kSuspendAfterInterruptions, are
/// reached. Returns true where it suspended it. Throws SqlError 55000 where the row is not
/// `running` any more, so that nothing is logged twice.
bool end_run(pg::Spi& spi, std::int64_t run_id, const Outcome& outcome, int suspend_after);

/// True where the log has this run already: by its number, or by job and due time.
bool is_logged(pg::Spi& spi, const RunHead& head);

/// Logs a run that is over, in one row. Returns its number.
std::int64_t log_ended_run(pg::Spi& spi, const RunHead& head, const Outcome& outcome);

/// Notes that a due time was served although there was nothing to do (the view does not exist).
/// Logs one `skipped` row when this begins, none for each repetition. Returns the run's number,
/// or 0 where nothing was logged.
std::int64_t note_skipped(pg::Spi& spi, const RunHead& head, const std::string& reason);

/// A run that nobody serves any more.
struct Orphan {
  std::int64_t run_id;
  std::int64_t job_id;  // of a member: of its group
};
/// Every run that was begun, has not ended, is not among `live_runs`, not of one of
/// `beginning_jobs`, and is not the run of a group that goes on in its members. The caller closes
/// them in this transaction.
std::vector<Orphan> take_orphans(pg::Spi& spi, const std::vector<std::int64_t>& live_runs,
                                 const std::vector<std::int64_t>& beginning_jobs);
/// Ends it as end_run() does. Where it was a member's, the caller tells its group (groups.hpp).
bool close_orphan(pg::Spi& spi, const Orphan& orphan, const Outcome& outcome, int suspend_after);

/// Removes ended runs that started before `limit`, in batches, and the state of jobs that are gone.
/// Returns how many runs.
std::int64_t remove_old_runs(pg::Spi& spi, core::Instant limit);

/// The status of a run, of those that the current role may see: a word of run_log, `queued` for a
/// request that waits, or nothing.
std::optional<std::string> run_status(pg::Spi& spi, std::int64_t run_id);

}  // namespace metrics_refresh::store
