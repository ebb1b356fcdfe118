// cancel_job(), retry_job(), snooze_job(), retry_failed_jobs() and job_progress().
#include "api/arguments.hpp"
#include "api/queue/job_changes.hpp"
#include "api/queue/job_type_access.hpp"
#include "api/queue/payload.hpp"
#include "extension/own_schema.hpp"
#include "shmem/queue/work.hpp"
#include "store/queue/later.hpp"
#include "store/queue/news.hpp"
#include "store/queue/running_job.hpp"
#include "store/queue/stopped.hpp"

namespace metrics_refresh::api {
namespace {

using store::queue::JobNumber;

JobNumber required_job(FunctionCallInfo call) {
  return Arguments::required(Arguments(call).get_int64(0), "job_id");
}

Datum cancel(FunctionCallInfo call) {
  begin_change("cancel_job()", "canceled a background job");
  return BoolGetDatum(cancel_job(required_job(call)));
}

Datum retry(FunctionCallInfo call) {
  begin_change("retry_job()", "started a background job again");
  return BoolGetDatum(retry_job(required_job(call)));
}

// The handler's transaction writes the job to queue_later instead of the history.
bool snooze_own(JobNumber id, TimestampTz now, TimestampTz until) {
  store::queue::RunningJob* const running = store::queue::running_job();
  if (running == nullptr || running->id != id) return false;
  running->snooze = core::Duration(until - now);
  return true;
}

Datum snooze(FunctionCallInfo call) {
  const Arguments arguments(call);
  const JobNumber id = required_job(call);
  if (arguments.is_null(1)) Arguments::refuse_null("delay");
  const TimestampTz now = GetCurrentTimestamp();
  const TimestampTz until = time_after(now, arguments.datum(1), "delay", false);
  if (snooze_own(id, now, until)) return BoolGetDatum(true);
  begin_change("snooze_job()", "delayed a background job");
  return BoolGetDatum(change_waiting_job(id, {until, std::nullopt}));
}

// The types that the caller may manage; only the named one if there is a name.
std::vector<std::int64_t> managed_types(const std::optional<std::string>& name) {
  std::vector<std::int64_t> types;
  if (name) {
    types.push_back(managed_type(*name).id);
    return types;
  }
  pg::with_own_sql([&] {
    pg::Spi spi;
    types = store::queue::visible_types(spi);
  });
  return types;
}

constexpr std::size_t kPart = 1000;

std::int64_t hurry_failed(const std::vector<std::int64_t>& types) {
  std::int64_t count = 0;
  const TimestampTz now = GetCurrentTimestamp();
  for (const std::int64_t type : types)
    for (JobNumber after = 0;;) {
      store::queue::Hurried jobs;
      extension::as_extension(
          [&](pg::Spi& spi) { jobs = store::queue::hurry_failed(spi, {type}, after, now, kPart); });
      const auto size = static_cast<std::int64_t>(jobs.count);
      if (size > 0) {
        store::queue::note_counts(static_cast<store::queue::TypeId>(type), {0, -size, 0, 0});
        store::queue::note_later(jobs.earliest);
        after = jobs.last;
      }
      count += size;
      if (jobs.count < kPart) break;
    }
  return count;
}

std::int64_t restart_dead(const std::vector<std::int64_t>& types) {
  std::int64_t count = 0;
  for (JobNumber after = 0;;) {
    std::size_t size = 0;
    extension::as_extension([&](pg::Spi& spi) {
      const auto jobs = store::queue::take_dead(spi, types, after, kPart);
      size = jobs.size();
      if (size > 0) after = jobs.back().id;
      for (const store::queue::Job& job : jobs)
        restart_stopped(job, store::queue::StopStatus::kDead);
    });
    count += static_cast<std::int64_t>(size);
    if (size < kPart) return count;
    pg::call([] { CHECK_FOR_INTERRUPTS(); });
  }
}

Datum retry_failed(FunctionCallInfo call) {
  begin_change("retry_failed_jobs()", "started background jobs again");
  const std::vector<std::int64_t> types = managed_types(Arguments(call).get_text(0));
  if (types.empty()) return Int64GetDatum(0);
  const std::int64_t failed = hurry_failed(types);
  return Int64GetDatum(failed + restart_dead(types));
}

Datum show_progress(FunctionCallInfo call) {
  const Arguments arguments(call);
  shmem::queue::JobProgress progress;
  progress.done = Arguments::required(arguments.get_int64(0), "done");
  progress.total = arguments.get_int64(1).value_or(-1);
  if (progress.done < 0 || (!arguments.is_null(1) && progress.total < 0))
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "done and total must not be negative",
                       "Leave the total out if it is not known.");
  if (const auto note = arguments.get_text(2)) {
    const char* const text = note->c_str();
    const int length = static_cast<int>(note->size());
    const int cut = pg::call(
        [=] { return pg_mbcliplen(text, length, static_cast<int>(sizeof(progress.note)) - 1); });
    memcpy(progress.note, text, static_cast<std::size_t>(cut));
    progress.note[cut] = '\0';
  }
  if (!shmem::queue::find_queue() || !shmem::queue::show_progress(progress))
    throw pg::SqlError(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                       "job_progress() was not called by the handler of a running job",
                       "Only the handler of a background job has a progress to show.");
  return Datum{0};
}

}  // namespace

MR_SQL_FUNCTION(mr_cancel_job, cancel);
MR_SQL_FUNCTION(mr_retry_job, retry);
MR_SQL_FUNCTION(mr_snooze_job, snooze);
MR_SQL_FUNCTION(mr_retry_failed_jobs, retry_failed);
MR_SQL_FUNCTION(mr_job_progress, show_progress);

}  // namespace metrics_refresh::api
