// worker_slots(), waiting_runs() and skipped_runs(): the runs of this database that are under way,
// those that wait for a worker, and those that were skipped because nothing had changed. All of
// them come from shared memory. Each caller sees the runs of the jobs that row-level security
// allows.
#include <set>

#include "api/arguments.hpp"
#include "extension/privilege.hpp"
#include "pg/identity.hpp"
#include "pg/time.hpp"
#include "shmem/shmem.hpp"
#include "shmem/skipped_jobs.hpp"

namespace metrics_refresh::api {
namespace {

using pg::Param;

// The jobs, among those given, that the caller may see.
class Visible {
 public:
  explicit Visible(const std::vector<std::int64_t>& jobs) : sees_all_(extension::is_super_admin()) {
    // A super admin also sees runs of jobs that were removed.
    if (sees_all_ || jobs.empty()) return;
    pg::with_own_sql([&] {
      pg::Spi spi;
      const pg::Rows rows = spi.query(
          "SELECT job_id FROM metrics_refresh.job WHERE job_id = ANY ($1)", {Param::array(jobs)});
      // One query for all jobs.
      for (std::size_t i = 0; i < rows.size(); ++i) jobs_.insert(rows.get_int64(i, "job_id"));
    });
  }
  bool has(std::int64_t job) const { return sees_all_ || jobs_.count(job) != 0; }

 private:
  bool sees_all_;
  std::set<std::int64_t> jobs_;
};

Param member_or_null(int member) {
  return member == shmem::kNoMember ? Param::null(INT4OID) : Param(INT4OID, Int32GetDatum(member));
}

const char* to_string(shmem::SlotState state) {
  return state == shmem::SlotState::kAssigned ? "starting" : "running";
}

Param to_param(shmem::Phase phase) {
  switch (phase) {
    case shmem::Phase::kNone:
      break;
    case shmem::Phase::kView:
      return Param("reading the view");
    case shmem::Phase::kQuery:
      return Param("running the definition");
    case shmem::Phase::kCompare:
      return Param("comparing rows on disk");
    case shmem::Phase::kWrite:
      return Param("writing changes");
  }
  return Param::null(TEXTOID);
}

const char* triggered_by(const shmem::Assignment& run) {
  if (run.attempt > 1) return "retry";
  return run.trigger == shmem::Trigger::kManual ? "manual" : "schedule";
}

Datum worker_slots(FunctionCallInfo call) {
  SetResult result(call);
  if (!shmem::is_preloaded()) return 0;
  // A copy: the slots' lock is released before the query runs.
  const std::vector<shmem::SlotView> slots = shmem::busy_slots(MyDatabaseId);
  std::vector<std::int64_t> jobs;
  for (const shmem::SlotView& view : slots) jobs.push_back(view.slot.run.job_id);
  const Visible visible(jobs);
  for (const shmem::SlotView& view : slots) {
    const shmem::WorkerSlot& slot = view.slot;
    if (!visible.has(slot.run.job_id)) continue;
    // Between the assignment and the start of the worker there is no time.
    const bool started = slot.started_at != 0;
    result.add({slot.run.run_id == 0 ? Param::null(INT8OID) : Param(slot.run.run_id),
                Param(slot.run.job_id), member_or_null(slot.run.member),
                Param(INT4OID, Int32GetDatum(slot.pid)), Param(to_string(slot.state)),
                Param(triggered_by(slot.run)), Param(pg::to_instant(slot.run.due)),
                started ? Param(pg::to_instant(slot.started_at)) : Param::null(TIMESTAMPTZOID),
                Param(slot.missed), to_param(slot.progress.phase), Param(slot.progress.rows_read),
                Param(slot.progress.rows_expected), Param(slot.progress.rows_changed)});
  }
  return 0;
}

Datum waiting_runs(FunctionCallInfo call) {
  SetResult result(call);
  const std::vector<shmem::WaitingRun> runs = shmem::waiting_runs(MyDatabaseId);
  std::vector<std::int64_t> jobs;
  for (const shmem::WaitingRun& run : runs) jobs.push_back(run.job_id);
  const Visible visible(jobs);
  for (const shmem::WaitingRun& run : runs)
    if (visible.has(run.job_id))
      result.add({Param(run.job_id), member_or_null(run.member), Param(pg::to_instant(run.due))});
  return 0;
}

Datum skipped_runs(FunctionCallInfo call) {
  SetResult result(call);
  const std::vector<shmem::SkippedJob> skipped = shmem::skipped_jobs();
  std::vector<std::int64_t> jobs;
  for (const shmem::SkippedJob& job : skipped) jobs.push_back(job.job_id);
  const Visible visible(jobs);
  for (const shmem::SkippedJob& job : skipped)
    if (visible.has(job.job_id))
      result.add(
          {Param(job.job_id), Param(job.times.skipped), Param(pg::to_instant(job.times.fresh_at))});
  return 0;
}

}  // namespace

MR_SQL_FUNCTION(mr_worker_slots, worker_slots);
MR_SQL_FUNCTION(mr_waiting_runs, waiting_runs);
MR_SQL_FUNCTION(mr_skipped_runs, skipped_runs);

}  // namespace metrics_refresh::api
