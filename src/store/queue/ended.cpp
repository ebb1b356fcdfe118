#include "store/queue/ended.hpp"

#include "pg/append_rows.hpp"
#include "pg/guard.hpp"
#include "pg/table_growth.hpp"
#include "shmem/queue/place.hpp"
#include "store/queue/columns.hpp"
#include "store/queue/tables.hpp"

// The mark comes first: if it is not unique, nothing else is written. All processes lock an ended
// child before a child of the history, queue_later or queue_stopped.

namespace metrics_refresh::store::queue {
namespace {

enum HistoryColumn {
  kHistoryId,
  kHistoryCreatedAt,
  kHistoryStartedAt,
  kHistoryFinishedAt,
  kHistoryType,
  kHistoryEnqueuedBy,
  kHistoryAttempts,
  kHistoryPriority,
  kHistoryMaxAttempts,
  kHistoryRunAt,
  kHistoryBatch,
  kHistoryUniqueHash,
  kHistoryUniqueUntil,
  kHistoryKey,
  kHistoryUniqueKey,
  kHistoryWorker,
  kHistoryNote,
  kHistoryPayload,
  kHistoryColumns
};

void fill_history(const Completed& completed, Datum* values, bool* nulls) {
  const Job& job = *completed.job;
  std::fill(nulls, nulls + kHistoryColumns, false);
  values[kHistoryId] = Int64GetDatum(job.id);
  values[kHistoryCreatedAt] = TimestampTzGetDatum(job.created_at);
  values[kHistoryStartedAt] = TimestampTzGetDatum(completed.started_at);
  values[kHistoryFinishedAt] = TimestampTzGetDatum(completed.finished_at);
  values[kHistoryType] = Int32GetDatum(job.type);
  values[kHistoryEnqueuedBy] = ObjectIdGetDatum(job.enqueued_by);
  values[kHistoryAttempts] = Int16GetDatum(job.attempts);
  values[kHistoryPriority] = Int16GetDatum(job.priority);
  fill_optional(job.max_attempts, &values[kHistoryMaxAttempts], &nulls[kHistoryMaxAttempts]);
  fill_optional(job.run_at, &values[kHistoryRunAt], &nulls[kHistoryRunAt]);
  fill_optional(job.batch, &values[kHistoryBatch], &nulls[kHistoryBatch]);
  fill_optional(job.unique_hash, &values[kHistoryUniqueHash], &nulls[kHistoryUniqueHash]);
  fill_optional(job.unique_until, &values[kHistoryUniqueUntil], &nulls[kHistoryUniqueUntil]);
  fill_text(job.key, &values[kHistoryKey], &nulls[kHistoryKey]);
  fill_text(job.unique_key, &values[kHistoryUniqueKey], &nulls[kHistoryUniqueKey]);
  fill_text(completed.worker, &values[kHistoryWorker], &nulls[kHistoryWorker]);
  fill_text(completed.note, &values[kHistoryNote], &nulls[kHistoryNote]);
  values[kHistoryPayload] = PointerGetDatum(job.payload);
}

void ignore_place(std::size_t, const ItemPointerData&) {}

// `job_of(i)` is the i-th job. Jobs of one segment that follow each other share a call.
template <typename JobOf>
void append_marks(std::size_t count, const JobOf& job_of) {
  for (std::size_t first = 0, end = 0; first < count; first = end) {
    const std::uint8_t segment = job_of(first).segment;
    for (end = first + 1; end < count && job_of(end).segment == segment;) ++end;
    pg::Appender ended;
    open_queue_appender(&ended, tables().ended[segment]);
    pg::append_all(
        ended, end - first,
        [=](std::size_t i, Datum* values, bool* nulls) {
          const Job& job = job_of(first + i);
          values[0] = Int64GetDatum(job.id);
          values[1] = Int16GetDatum(job.version);
          nulls[0] = nulls[1] = false;
        },
        ignore_place);
    pg::close_appender(ended);
  }
}

template <typename Fill>
void append_one(Oid table, Fill&& fill) {
  pg::Appender appender;
  open_queue_appender(&appender, table);
  pg::append_all(appender, 1, fill, ignore_place);
  // SQL reads these tables.
  pg::replan_if_grown(appender.table);
  pg::close_appender(appender);
}

// A row that has an end gets none again, and nothing is written beside it.
template <typename Body>
void end_rows(Body&& body) {
  try {
    pg::call(body);
  } catch (const pg::PgError& error) {
    if (error.sqlstate() == ERRCODE_UNIQUE_VIOLATION) shmem::queue::count_double_end();
    throw;
  }
}

}  // namespace

void finish_many(const Completed* jobs, std::size_t count, std::uint8_t period) {
  end_rows([=] {
    append_marks(count, [=](std::size_t i) -> const Job& { return *jobs[i].job; });
    pg::Appender history;
    open_queue_appender(&history, tables().history[period]);
    pg::append_all(
        history, count,
        [=](std::size_t i, Datum* values, bool* nulls) { fill_history(jobs[i], values, nulls); },
        ignore_place);
    pg::close_appender(history);
  });
}

void finish(const Completed& job, std::uint8_t period) { finish_many(&job, 1, period); }

void mark_ended(const Job* jobs, std::size_t count) {
  end_rows([=] { append_marks(count, [=](std::size_t i) -> const Job& { return jobs[i]; }); });
}

void park(const Job& job) {
  end_rows([&job] {
    append_marks(1, [&job](std::size_t) -> const Job& { return job; });
    append_one(tables().later, [&job](std::size_t, Datum* values, bool* nulls) {
      fill_columns(job, values, nulls);
      values[kWaits] = Int16GetDatum(0);
      nulls[kWaits] = false;
    });
  });
}

void stop(const Job& job, const Stop& how) {
  end_rows([&job, &how] {
    if (job.segment != kNoSegment)
      append_marks(1, [&job](std::size_t) -> const Job& { return job; });
    append_one(tables().stopped, [&job, &how](std::size_t, Datum* values, bool* nulls) {
      fill_columns(job, values, nulls);
      values[kStatus] = CharGetDatum(static_cast<char>(how.status));
      nulls[kStatus] = false;
      fill_optional(how.started_at, &values[kStartedAt], &nulls[kStartedAt]);
      values[kFinishedAt] = TimestampTzGetDatum(how.finished_at);
      nulls[kFinishedAt] = false;
      fill_text(how.reason, &values[kReason], &nulls[kReason]);
    });
  });
}

void stop_without_type(const Job& job, TimestampTz now) {
  Stop how;
  how.finished_at = now;
  how.reason = make_text("its type does not exist");
  stop(job, how);
}

}  // namespace metrics_refresh::store::queue
