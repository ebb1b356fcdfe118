// Values of new jobs that come from callers, checked.
#pragma once

#include "pg/guard.hpp"

namespace metrics_refresh::api {

/// The payload, not compressed and not in a TOAST table. Throws SqlError 54000 if it has more bytes
/// than metrics_refresh.queue_max_payload allows. `name` is that of the argument.
const Jsonb* checked_payload(Datum jsonb, const char* name);

/// A key: 1 to 200 bytes. Throws SqlError 22023 if it is empty, and 54000 if it is too long.
const text* checked_key(Datum value, const char* name);

/// The time after an interval. Throws SqlError 22023 if it is negative or infinite, or if `least`
/// is true and it is 0.
TimestampTz time_after(TimestampTz now, Datum interval, const char* name, bool more_than_zero);

}  // namespace metrics_refresh::api
