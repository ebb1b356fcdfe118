// The failures of runs and of queued jobs: one row of job_failure for each failed attempt, and one
// row of edge_function_logs, which the trigger on_job_failure writes.
//
// A superuser may replace the function of the trigger, notify_failed_job(), so it is executed in a
// subtransaction. If it is missing, raises an error or writes no row, the row is written here: no
// failure is lost by its own log.
#pragma once

#include "store/runs.hpp"

namespace metrics_refresh::store {

/// The column job_failure.kind.
enum class FailureKind { kRefresh, kCommand, kGroup, kJob };

template <>
struct WordsOf<FailureKind> {
  static constexpr Word<FailureKind> all[] = {{FailureKind::kRefresh, "refresh"},
                                              {FailureKind::kCommand, "command"},
                                              {FailureKind::kGroup, "group"},
                                              {FailureKind::kJob, "job"}};
};

/// A failed attempt.
struct Failure {
  FailureKind kind = FailureKind::kJob;
  /// The type of a queued job, the name of the job of a run, or the view of a refresh without a
  /// job.
  std::string name;
  std::optional<std::int64_t> job_id;  // of a queued job, or of the job of a run
  std::optional<std::int64_t> run_id;  // only of a run: its row of run_log
  std::string view;                    // only of a refresh, with its schema
  int attempt = 1;
  RunStatus status = RunStatus::kError;  // or kInterrupted: its worker ended
  RunError error;
  std::optional<double> duration_ms;
  /// The role whose code failed: the owner of the view, the command or the type. Its members see
  /// the row.
  Oid owner = InvalidOid;
};

/// Logs the failure in this transaction. Returns the number of its row in job_failure.
/// REQUIRES: inside extension::as_extension(). The failed work was rolled back.
std::int64_t log_failure(pg::Spi& spi, const Failure& failure);

/// Logs the failure that ended this run, if it has failed or was interrupted. REQUIRES: as above,
/// and its row of run_log is complete.
void log_failure_of_run(pg::Spi& spi, std::int64_t run_id);

}  // namespace metrics_refresh::store
