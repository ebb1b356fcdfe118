// Between a Job and the columns of queue_hot, which queue_later and queue_stopped begin with, too.
//
// REQUIRES for all functions: inside pg::call().
#pragma once

#include "store/queue/job.hpp"

namespace metrics_refresh::store::queue {

/// The columns of queue_hot from 0, as in the install script.
enum JobColumn {
  kId,
  kCreatedAt,
  kType,
  kEnqueuedBy,
  kVersion,
  kAttempts,
  kPriority,
  kCrashes,
  kFlags,
  kMaxAttempts,
  kRunAt,
  kBatch,
  kUniqueHash,
  kUniqueUntil,
  kKey,
  kUniqueKey,
  kLastError,
  kPayload,
  kJobColumns  // their number
};

/// Further columns of queue_later and queue_stopped.
enum LaterColumn { kWaits = kJobColumns, kLaterColumns };
enum StoppedColumn { kStatus = kJobColumns, kStartedAt, kFinishedAt, kReason, kStoppedColumns };

/// Fills the first kJobColumns values.
void fill_columns(const Job& job, Datum* values, bool* nulls);

/// Reads them. Values that are in a TOAST table are fetched; others are not copied.
Job read_columns(const Datum* values, const bool* nulls);

/// A value that may be NULL, into its column.
template <typename T>
void fill_optional(const std::optional<T>& value, Datum* datum, bool* is_null) {
  *is_null = !value.has_value();
  *datum = value ? static_cast<Datum>(*value) : Datum{0};
}
inline void fill_text(const text* value, Datum* datum, bool* is_null) {
  *is_null = value == nullptr;
  *datum = PointerGetDatum(value);
}

}  // namespace metrics_refresh::store::queue
