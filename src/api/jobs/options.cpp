// The options of jobs, as one table (kOptions). Each line names the option, the type of its column,
// the function that checks it, and its limits. new_options() and changed_options() walk over this
// table. A new option needs one line here and one column in the table job.
#include "store/job_words.hpp"

#include "api/schedule_text.hpp"

#include "api/jobs/options.hpp"

#include "api/jobs/job_settings.hpp"
#include "extension/privilege.hpp"
#include "extension/settings.hpp"
#include "pg/time_zone.hpp"

namespace metrics_refresh::api {
namespace {

using pg::Param;

struct Option {
  const char* name;
  Oid type;
  /// Returns the argument as a value for the column. REQUIRES: the argument is not NULL.
  Param (*read)(const NamedArguments& arguments, const Option& option);
  bool optional = false;     // NULL is allowed for a new job
  bool reschedules = false;  // a change restarts the count of due times
  // Limits of numbers, and of intervals in milliseconds.
  double low = 0;
  double high = 0;
};

[[noreturn]] void refuse(const std::string& message, const std::string& hint = {}) {
  throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, message, hint);
}

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

Param read_flag(const NamedArguments& arguments, const Option& option) {
  return *arguments.get_bool(option.name);
}

template <typename T>
Param read_word(const NamedArguments& arguments, const Option& option) {
  return store::to_text(store::from_argument<T>(option.name, *arguments.get_text(option.name)));
}

Param read_number(const NamedArguments& arguments, const Option& option) {
  const int number = *arguments.get_int32(option.name);
  if (number < option.low || number > option.high)
    refuse(std::string(option.name) + " must be between " +
           std::to_string(static_cast<int>(option.low)) + " and " +
           std::to_string(static_cast<int>(option.high)));
  return Param(option.type, Int32GetDatum(number));
}

constexpr double kDay = 24.0 * 3600 * 1000;  // in milliseconds

// The limit of 24 days comes from the server's timeouts, which are 32-bit milliseconds.
Param read_interval(const NamedArguments& arguments, const Option& option) {
  const Datum datum = arguments.datum(option.name);
  const auto* value = reinterpret_cast<const Interval*>(DatumGetPointer(datum));
  const double length =
      (30.0 * value->month + value->day) * kDay + static_cast<double>(value->time) / 1000;
  // Months have no fixed length. An interval such as "1 month -29 days" is rejected, because other
  // code would compute another length for it.
  if (value->month != 0 || length < option.low || length > option.high)
    refuse(std::string(option.name) + " must be between " +
           (option.low == 0 ? "0" : "1 millisecond") + " and 24 days");
  return Param(option.type, datum);
}

// The limit does not reject a runtime up to the default of one hour. Such a job is accepted if the
// limit is lower, and its runs are ended earlier.
Param read_max_runtime(const NamedArguments& arguments, const Option& option) {
  constexpr core::Duration kDefault = std::chrono::hours(1);
  const Param value = read_interval(arguments, option);
  const Datum datum = arguments.datum(option.name);
  const auto* wanted = reinterpret_cast<const Interval*>(DatumGetPointer(datum));
  // read_interval() has excluded months.
  const core::Duration length(wanted->day * USECS_PER_DAY + wanted->time);
  if (length <= std::max(kDefault, settings::max_job_runtime()) || extension::is_super_admin())
    return value;
  const char* limit = pg::call(
      [] { return GetConfigOptionByName("metrics_refresh.max_job_runtime", nullptr, false); });
  refuse(
      "max_runtime must not be longer than metrics_refresh.max_job_runtime, " + std::string(limit),
      "A superuser can raise the setting.");
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

Param read_max_parallel(const NamedArguments& arguments, const Option& option) {
  const Param number = read_number(arguments, option);
  // 0 means no limit, which is NULL in the table.
  return *arguments.get_int32(option.name) == 0 ? Param::null(option.type) : number;
}

constexpr bool kOptional = true;
constexpr bool kReschedules = true;

constexpr Option kOptions[] = {
    {"schedule", TEXTOID, read_schedule, kOptional, kReschedules},
    {"timezone", TEXTOID, read_zone, kOptional, kReschedules},
    {"active", BOOLOID, read_flag, false, kReschedules},
    {"strategy", TEXTOID, read_word<store::Strategy>},
    {"max_runtime", INTERVALOID, read_max_runtime, false, false, 1, 24 * kDay},
    {"lock_timeout", INTERVALOID, read_interval, false, false, 1, 24 * kDay},
    {"on_missed", TEXTOID, read_word<core::OnMissed>},
    {"on_overlap", TEXTOID, read_word<core::OnOverlap>},
    {"priority", INT4OID, read_number, false, false, -1000, 1000},
    {"max_retries", INT4OID, read_number, false, false, 0, 100},
    {"retry_delay", INTERVALOID, read_interval, false, false, 1, 24 * kDay},
    {"retry_max_delay", INTERVALOID, read_interval, false, false, 1, 24 * kDay},
    {"jitter", INTERVALOID, read_interval, false, false, 0, 24 * kDay},
    {"starts_at", TIMESTAMPTZOID, read_bound, kOptional, kReschedules},
    {"ends_at", TIMESTAMPTZOID, read_bound, kOptional, kReschedules},
    {"blackout", TEXTARRAYOID, read_blackout, kOptional, kReschedules},
    {"settings", JSONBOID, read_settings_option, kOptional},
    {"isolation", TEXTOID, read_word<store::Isolation>},
    {"max_parallel", INT4OID, read_max_parallel, kOptional, false, 0, 1000},
};

}  // namespace

Options new_options(const NamedArguments& arguments) {
  Options result{{}, true};
  for (const Option& option : kOptions) {
    // Functions declare only the options that apply to them.
    if (!arguments.has(option.name)) continue;
    if (!arguments.is_null(option.name))
      result.columns.emplace_back(option.name, option.read(arguments, option));
    else if (option.optional)
      result.columns.emplace_back(option.name, Param::null(option.type));
    else
      Arguments::refuse_null(option.name);
  }
  return result;
}

Options changed_options(const NamedArguments& arguments) {
  Options result;
  for (const Option& option : kOptions) {
    if (!arguments.has(option.name) || arguments.is_null(option.name)) continue;
    result.columns.emplace_back(option.name, option.read(arguments, option));
    result.reschedules = result.reschedules || option.reschedules;
  }
  return result;
}

bool is_on_one_snapshot(const NamedArguments& arguments) {
  return arguments.get_text("isolation") == store::to_text(store::Isolation::kRepeatableRead);
}

}  // namespace metrics_refresh::api
