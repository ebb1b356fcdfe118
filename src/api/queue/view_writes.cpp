// The INSTEAD OF triggers of background_jobs. The server has checked the privilege on the view; the
// rights over types and jobs are those of the functions that do the same.
#include "api/new_row.hpp"
#include "api/queue/batches.hpp"
#include "api/queue/job_changes.hpp"
#include "api/queue/new_jobs.hpp"
#include "api/queue/payload.hpp"
#include "api/queue/unique_keys.hpp"
#include "shmem/queue/place.hpp"

namespace metrics_refresh::api {
namespace {

// The columns of the view, from 0, in its order.
enum Column {
  kId,
  kType,
  kPayload,
  kStatus,
  kPriority,
  kRunAt,
  kAttempts,
  kMaxAttempts,
  kLastError,
  kUniqueKey,
  kKey,
  kBatch,
  kCreatedAt,
  kStartedAt,
  kFinishedAt,
  kEnqueuedBy,
  kOwner,
  kWorker,
  kProgressDone,
  kProgressTotal,
  kProgressNote,
  kColumns
};

struct Row {
  Datum values[kColumns];
  bool nulls[kColumns];

  bool has(Column column) const { return !nulls[column]; }
  void set(Column column, Datum value) {
    values[column] = value;
    nulls[column] = false;
  }
};

Row row_of(HeapTuple tuple, TupleDesc description) {
  Row row;
  if (description->natts != kColumns)
    refuse_trigger_call("the function is for the view background_jobs");
  pg::call([&] { heap_deform_tuple(tuple, description, row.values, row.nulls); });
  return row;
}

[[noreturn]] void refuse_column(TupleDesc description, int column, const char* hint) {
  throw pg::SqlError(ERRCODE_FEATURE_NOT_SUPPORTED,
                     "column \"" +
                         std::string(NameStr(TupleDescAttr(description, column)->attname)) +
                         "\" of background_jobs cannot be written",
                     hint);
}

std::string text_of(Datum value) {
  const text* const packed = pg::call([value] { return DatumGetTextPP(value); });
  return std::string(VARDATA_ANY(packed), VARSIZE_ANY_EXHDR(packed));
}

// Values that a new job has anyway may be given, as applications do.
bool is_of_new_job(const Row& row, int column) {
  switch (column) {
    case kStatus:
      return text_of(row.values[kStatus]) == "pending";
    case kAttempts:
      return DatumGetInt32(row.values[kAttempts]) == 0;
    case kType:
    case kPayload:
    case kPriority:
    case kRunAt:
    case kMaxAttempts:
    case kUniqueKey:
    case kKey:
    case kBatch:
      return true;
    default:
      return false;
  }
}

std::int16_t priority_of(const Row& row) {
  return checked_priority(DatumGetInt32(row.values[kPriority]));
}

TimestampTz run_at_of(const Row& row) {
  return checked_run_at(DatumGetTimestampTz(row.values[kRunAt]));
}

NewJobOptions options_of(const Row& row) {
  NewJobOptions options;
  if (!row.has(kType)) throw pg::SqlError(ERRCODE_NULL_VALUE_NOT_ALLOWED, "type must not be NULL");
  const Datum name = row.values[kType];
  options.type = type_to_add_to(pg::call([name] { return DatumGetTextPP(name); }));
  options.now = GetCurrentTimestamp();
  options.priority = row.has(kPriority) ? priority_of(row) : options.type.priority;
  if (row.has(kMaxAttempts))
    options.max_attempts = checked_max_attempts(DatumGetInt32(row.values[kMaxAttempts]));
  if (row.has(kRunAt)) options.run_at = run_at_of(row);
  options.unique_states = store::queue::kUnendedStates;
  if (row.has(kBatch)) {
    options.batch = DatumGetInt64(row.values[kBatch]);
    use_batch(options.batch);
  }
  return options;
}

HeapTuple insert(HeapTuple tuple, TupleDesc description) {
  Row row = row_of(tuple, description);
  for (int column = 0; column < kColumns; ++column)
    if (!row.nulls[column] && !is_of_new_job(row, column))
      refuse_column(description, column, "The queue sets it.");
  NewJobOptions options = options_of(row);
  NewJob job = {};
  if (!row.has(kPayload))
    throw pg::SqlError(ERRCODE_NULL_VALUE_NOT_ALLOWED, "payload must not be NULL",
                       "Without the column it is {}.");
  job.payload = checked_payload(row.values[kPayload], "payload");
  if (row.has(kKey)) job.key = checked_key(row.values[kKey], "key");
  if (row.has(kUniqueKey)) job.unique_key = checked_key(row.values[kUniqueKey], "unique_key");
  add_jobs(options, &job, 1);
  if (job.is_duplicate) report_duplicate(job);
  // RETURNING shows these.
  row.set(kId, Int64GetDatum(job.id));
  row.set(kPriority, Int32GetDatum(options.priority));
  row.set(kRunAt, TimestampTzGetDatum(options.run_at.value_or(options.now)));
  row.set(kAttempts, Int32GetDatum(0));
  row.set(kCreatedAt, TimestampTzGetDatum(options.now));
  return pg::call([&] {
    if (row.nulls[kStatus]) row.set(kStatus, CStringGetTextDatum("pending"));
    return heap_form_tuple(description, row.values, row.nulls);
  });
}

// The status that an UPDATE asks for.
bool change_status(store::queue::JobNumber id, const std::string& status) {
  if (status == "canceled") return cancel_job(id);
  if (status == "pending") return retry_job(id);
  throw pg::SqlError(ERRCODE_FEATURE_NOT_SUPPORTED,
                     "the status of a job cannot be set to \"" + status + "\"",
                     "canceled cancels the job, pending starts it again.");
}

bool is_changed(const Row& before, const Row& after, TupleDesc description, int column) {
  if (before.nulls[column] != after.nulls[column]) return true;
  if (before.nulls[column]) return false;
  const Form_pg_attribute attribute = TupleDescAttr(description, column);
  return !pg::call([&] {
    return datum_image_eq(before.values[column], after.values[column], attribute->attbyval,
                          attribute->attlen);
  });
}

// Returns null if the job has ended meanwhile, so that the row does not count as changed.
HeapTuple update(HeapTuple old, HeapTuple tuple, TupleDesc description) {
  const Row before = row_of(old, description);
  const Row after = row_of(tuple, description);
  bool has_new_status = false;
  WaitingChange change;
  for (int column = 0; column < kColumns; ++column) {
    if (!is_changed(before, after, description, column)) continue;
    if (after.nulls[column] || (column != kStatus && column != kRunAt && column != kPriority))
      refuse_column(description, column, "Only status, run_at and priority can be changed.");
    if (column == kStatus) has_new_status = true;
    if (column == kRunAt) change.run_at = run_at_of(after);
    if (column == kPriority) change.priority = priority_of(after);
  }
  const store::queue::JobNumber id = DatumGetInt64(before.values[kId]);
  bool is_done = true;
  if (has_new_status) is_done = change_status(id, text_of(after.values[kStatus]));
  if (is_done && (change.run_at || change.priority)) is_done = change_waiting_job(id, change);
  return is_done ? tuple : nullptr;
}

HeapTuple remove(HeapTuple old, TupleDesc description) {
  const Row row = row_of(old, description);
  const store::queue::JobNumber id = DatumGetInt64(row.values[kId]);
  const std::string status = text_of(row.values[kStatus]);
  if (status == "completed")
    throw pg::SqlError(ERRCODE_FEATURE_NOT_SUPPORTED, "a completed job cannot be deleted",
                       "Completed jobs are removed after metrics_refresh.queue_history, or by "
                       "metrics_refresh.purge_jobs().");
  const bool has_stopped = status == "dead" || status == "canceled";
  return (has_stopped ? remove_stopped_job(id) : cancel_job(id)) ? old : nullptr;
}

// The view may be in any schema, so its trigger is known by the function alone. A trigger of this
// function on another view finds other columns.
Datum write(FunctionCallInfo call) {
  if (!CALLED_AS_TRIGGER(call)) refuse_trigger_call("the function may only be called as a trigger");
  const auto* const data = reinterpret_cast<TriggerData*>(call->context);
  if (!TRIGGER_FIRED_INSTEAD(data->tg_event) || !TRIGGER_FIRED_FOR_ROW(data->tg_event))
    refuse_trigger_call("the function is for INSTEAD OF triggers");
  TupleDesc const description = RelationGetDescr(data->tg_relation);
  HeapTuple result;
  if (TRIGGER_FIRED_BY_INSERT(data->tg_event)) {
    begin_adding("INSERT");
    result = insert(data->tg_trigtuple, description);
  } else if (TRIGGER_FIRED_BY_UPDATE(data->tg_event)) {
    begin_change("UPDATE", "changed a background job");
    result = update(data->tg_trigtuple, data->tg_newtuple, description);
  } else {
    begin_change("DELETE", "canceled a background job");
    result = remove(data->tg_trigtuple, description);
  }
  return PointerGetDatum(result);
}

}  // namespace

MR_SQL_FUNCTION(mr_background_jobs_write, write);

}  // namespace metrics_refresh::api
