// The options of jobs, as one table (kOptions). Each line names the option, the type of its column,
// the function that checks it, and its limits. new_options() and changed_options() walk over this
// table. A new option needs one line here and one column in the table job.
#include "store/job_words.hpp"

#include "api/schedule_text.hpp"

#include "api/jobs/options.hpp"

#include "api/jobs/job_settings.hpp"
#include "pg/time_zone.hpp"

namespace metrics_refresh::api {
namespace {

using pg::Param;

Param read_schedule(const NamedArguments& arguments, const Option& option) {
  const std::string text = *arguments.get_text(option.name);
  // The name chooses the value of `H` in cron expressions.
  const bool named = arguments.has("job_name");
  (void)parse_schedule(text, named ? arguments.get_text("job_name").value_or("") : "");
  return text;
}

Param read_zone(const NamedArguments& arguments, const Option& option) {
  const std::string name = *arguments.get_text(option.name);
  // Throws if the server does not know the zone. The column keeps the text.
  (void)pg::time_zone(name);
  return name;
}

// The limit does not reject a runtime up to the default of one hour. Such a job is accepted if the
// limit is lower, and its runs are ended earlier.
Param read_max_runtime(const NamedArguments& arguments, const Option& option) {
  return read_runtime(arguments, option, std::chrono::hours(1));
}

// An infinite bound is stored as NULL.
Param read_bound(const NamedArguments& arguments, const Option& option) {
  const TimestampTz time = DatumGetTimestampTz(arguments.datum(option.name));
  if (TIMESTAMP_NOT_FINITE(time)) return Param::null(option.type);
  return Param(option.type, TimestampTzGetDatum(time));
}

Param read_blackout(const NamedArguments& arguments, const Option& option) {
  const Datum array = arguments.datum(option.name);
  const std::vector<std::string> windows = pg::texts_of(array, option.name);
  // An empty array removes the windows.
  (void)parse_blackouts(windows);
  return windows.empty() ? Param::null(option.type) : Param(option.type, array);
}

Param read_settings_option(const NamedArguments& arguments, const Option& option) {
  const Datum jsonb = arguments.datum(option.name);
  return read_settings(jsonb).empty() ? Param::null(option.type) : Param(option.type, jsonb);
}

constexpr bool kOptional = true;
constexpr bool kReschedules = true;

constexpr Option kOptions[] = {
    {"schedule", TEXTOID, read_schedule, kOptional, kReschedules},
    {"timezone", TEXTOID, read_zone, kOptional, kReschedules},
    {"active", BOOLOID, read_flag, false, kReschedules},
    {"strategy", TEXTOID, read_word<store::Strategy>},
    {"max_runtime", INTERVALOID, read_max_runtime, false, false, 1, kLongestOption},
    {"lock_timeout", INTERVALOID, read_interval, false, false, 1, kLongestOption},
    {"on_missed", TEXTOID, read_word<core::OnMissed>},
    {"on_overlap", TEXTOID, read_word<core::OnOverlap>},
    {"priority", INT4OID, read_number, false, false, -1000, 1000},
    {"max_retries", INT4OID, read_number, false, false, 0, 100},
    {"retry_delay", INTERVALOID, read_interval, false, false, 1, kLongestOption},
    {"retry_max_delay", INTERVALOID, read_interval, false, false, 1, kLongestOption},
    {"jitter", INTERVALOID, read_interval, false, false, 0, kLongestOption},
    {"starts_at", TIMESTAMPTZOID, read_bound, kOptional, kReschedules},
    {"ends_at", TIMESTAMPTZOID, read_bound, kOptional, kReschedules},
    {"blackout", TEXTARRAYOID, read_blackout, kOptional, kReschedules},
    {"settings", JSONBOID, read_settings_option, kOptional},
    {"isolation", TEXTOID, read_word<store::Isolation>},
    {"max_parallel", INT4OID, read_limit, kOptional, false, 0, 1000},
};

}  // namespace

Options new_options(const NamedArguments& arguments) { return new_options(arguments, kOptions); }

Options changed_options(const NamedArguments& arguments) {
  return changed_options(arguments, kOptions);
}

bool is_on_one_snapshot(const NamedArguments& arguments) {
  return arguments.get_text("isolation") == store::to_text(store::Isolation::kRepeatableRead);
}

}  // namespace metrics_refresh::api
