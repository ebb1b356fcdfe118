#include "store/queue/columns.hpp"

namespace metrics_refresh::store::queue {
namespace {

// A stored value that is in a TOAST table is fetched, since that table can be emptied. A value that
// is compressed or has a short header stays as it is: so it can be stored again without work.
template <typename T>
const T* stored_value(Datum value, bool is_null) {
  if (is_null) return nullptr;
  auto* const stored = static_cast<varlena*>(static_cast<void*>(DatumGetPointer(value)));
  return static_cast<const T*>(
      static_cast<void*>(VARATT_IS_EXTERNAL(stored) ? detoast_external_attr(stored) : stored));
}

template <typename T>
std::optional<T> optional_value(Datum value, bool is_null) {
  return is_null ? std::nullopt : std::optional<T>(static_cast<T>(value));
}

}  // namespace

void fill_columns(const Job& job, Datum* values, bool* nulls) {
  std::fill(nulls, nulls + kJobColumns, false);
  values[kId] = Int64GetDatum(job.id);
  values[kCreatedAt] = TimestampTzGetDatum(job.created_at);
  values[kType] = Int32GetDatum(job.type);
  values[kEnqueuedBy] = ObjectIdGetDatum(job.enqueued_by);
  values[kVersion] = Int16GetDatum(job.version);
  values[kAttempts] = Int16GetDatum(job.attempts);
  values[kPriority] = Int16GetDatum(job.priority);
  values[kCrashes] = Int16GetDatum(job.crashes);
  values[kFlags] = Int16GetDatum(job.flags);
  fill_optional(job.max_attempts, &values[kMaxAttempts], &nulls[kMaxAttempts]);
  fill_optional(job.run_at, &values[kRunAt], &nulls[kRunAt]);
  fill_optional(job.batch, &values[kBatch], &nulls[kBatch]);
  fill_optional(job.unique_hash, &values[kUniqueHash], &nulls[kUniqueHash]);
  fill_optional(job.unique_until, &values[kUniqueUntil], &nulls[kUniqueUntil]);
  fill_text(job.key, &values[kKey], &nulls[kKey]);
  fill_text(job.unique_key, &values[kUniqueKey], &nulls[kUniqueKey]);
  fill_text(job.last_error, &values[kLastError], &nulls[kLastError]);
  values[kPayload] = PointerGetDatum(job.payload);
}

Job read_columns(const Datum* values, const bool* nulls) {
  Job job;
  job.id = DatumGetInt64(values[kId]);
  job.created_at = DatumGetTimestampTz(values[kCreatedAt]);
  job.type = DatumGetInt32(values[kType]);
  job.enqueued_by = DatumGetObjectId(values[kEnqueuedBy]);
  job.version = DatumGetInt16(values[kVersion]);
  job.attempts = DatumGetInt16(values[kAttempts]);
  job.priority = DatumGetInt16(values[kPriority]);
  job.crashes = DatumGetInt16(values[kCrashes]);
  job.flags = DatumGetInt16(values[kFlags]);
  job.max_attempts = optional_value<std::int16_t>(values[kMaxAttempts], nulls[kMaxAttempts]);
  job.run_at = optional_value<TimestampTz>(values[kRunAt], nulls[kRunAt]);
  job.batch = optional_value<std::int64_t>(values[kBatch], nulls[kBatch]);
  job.unique_hash = optional_value<std::int64_t>(values[kUniqueHash], nulls[kUniqueHash]);
  job.unique_until = optional_value<TimestampTz>(values[kUniqueUntil], nulls[kUniqueUntil]);
  job.key = stored_value<text>(values[kKey], nulls[kKey]);
  job.unique_key = stored_value<text>(values[kUniqueKey], nulls[kUniqueKey]);
  job.last_error = stored_value<text>(values[kLastError], nulls[kLastError]);
  job.payload = stored_value<Jsonb>(values[kPayload], nulls[kPayload]);
  return job;
}

}  // namespace metrics_refresh::store::queue
