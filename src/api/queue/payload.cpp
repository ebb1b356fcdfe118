#include "api/queue/payload.hpp"

#include "api/option_table.hpp"
#include "api/shares.hpp"
#include "extension/settings.hpp"

namespace metrics_refresh::api {
namespace {

// The limits are those of the options of a type.
std::int16_t number_between(int value, const char* name, int low, int high) {
  if (value < low || value > high)
    refuse_option(std::string(name) + " must be between " + std::to_string(low) + " and " +
                  std::to_string(high));
  return static_cast<std::int16_t>(value);
}

}  // namespace

const Jsonb* checked_payload(Datum jsonb, const char* name) {
  struct Value {
    Size size;
    const Jsonb* payload;
  };
  const Size most = settings::queue_max_payload();
  // A payload that is too long is not fetched.
  const Value value = pg::call([=]() -> Value {
    const Size size = toast_raw_datum_size(jsonb);
    return {size, size > most ? nullptr : DatumGetJsonbP(jsonb)};
  });
  if (value.payload != nullptr) return value.payload;
  throw pg::SqlError(ERRCODE_PROGRAM_LIMIT_EXCEEDED, std::string(name) + " is too long",
                     "Store it in a table, and its key in the payload.",
                     "It has " + std::to_string(value.size) + " bytes; " + std::to_string(most) +
                         " are allowed by metrics_refresh.queue_max_payload.");
}

const text* checked_key(Datum value, const char* name) {
  constexpr std::int64_t kLongest = 200;
  const text* const key = pg::call([value] { return DatumGetTextPP(value); });
  const auto size = static_cast<std::int64_t>(VARSIZE_ANY_EXHDR(key));
  if (size == 0)
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, std::string(name) + " must not be empty",
                       "NULL means that there is none.");
  check_length(name, size, kLongest);
  return key;
}

std::int16_t checked_priority(int value) { return number_between(value, "priority", -100, 100); }

std::int16_t checked_max_attempts(int value) {
  return number_between(value, "max_attempts", 1, 1000);
}

TimestampTz checked_run_at(TimestampTz value) {
  if (TIMESTAMP_NOT_FINITE(value))
    refuse_option("run_at must be finite",
                  "metrics_refresh.pause_job_type() keeps jobs from starting.");
  return value;
}

TimestampTz time_after(TimestampTz now, Datum interval, const char* name, bool more_than_zero) {
  const TimestampTz time = pg::call([=] {
    return DatumGetTimestampTz(
        DirectFunctionCall2(timestamptz_pl_interval, TimestampTzGetDatum(now), interval));
  });
  if (TIMESTAMP_NOT_FINITE(time) || time < now || (more_than_zero && time == now))
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE,
                       std::string(name) + (more_than_zero ? " must be positive and finite"
                                                           : " must not be negative or infinite"),
                       "Give an interval such as '30 seconds'.");
  return time;
}

}  // namespace metrics_refresh::api
