// Values of new jobs that come from callers, checked.
#pragma once

#include "pg/guard.hpp"

namespace metrics_refresh::api {

/// The payload, not compressed and not in a TOAST table. Throws SqlError 54000 if it has more bytes
/// than metrics_refresh.queue_max_payload allows. `name` is that of the argument.
const Jsonb* checked_payload(Datum jsonb, const char* name);

/// A key: 1 to 200 bytes. Throws SqlError 22023 if it is empty, and 54000 if it is too long.
const text* checked_key(Datum value, const char* name);

/// Numbers and times of a job. Throw SqlError 22023 if the value is not in its range.
std::int16_t checked_priority(int value);
std::int16_t checked_max_attempts(int value);
TimestampTz checked_run_at(TimestampTz value);

/// The time after an interval. Throws SqlError 22023 if it is negative or infinite, or if it is 0
/// and `more_than_zero` is true.
TimestampTz time_after(TimestampTz now, Datum interval, const char* name, bool more_than_zero);

}  // namespace metrics_refresh::api
