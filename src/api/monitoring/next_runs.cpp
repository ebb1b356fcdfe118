// Functions that interpret a schedule without a job: next_runs(), next_due(), describe_schedule()
// and validate_schedule().
#include "api/schedule_text.hpp"
#include "core/schedule/schedule_description.hpp"

#include "api/arguments.hpp"
#include "extension/settings.hpp"
#include "pg/time.hpp"

namespace metrics_refresh::api {
namespace {

// Bounds the time of one call.
constexpr int kMostRuns = 10'000;

Datum next_runs(FunctionCallInfo call) {
  const Arguments arguments(call);
  const core::Schedule schedule = parse_schedule(
      Arguments::required(arguments.get_text(0), "schedule"), arguments.get_text(4).value_or(""));
  const int count = Arguments::required(arguments.get_int32(1), "count");
  std::optional<core::Instant> at = Arguments::required(arguments.get_instant(2), "after");
  const std::string zone_name = arguments.get_text(3).value_or("");
  const core::TimeZone& zone = settings::time_zone_or_default(zone_name);
  if (count < 1 || count > kMostRuns)
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE,
                       "count must be between 1 and " + std::to_string(kMostRuns));
  SetResult result(call);
  for (int i = 0; i < count; ++i) {
    at = schedule.next_after(*at, zone);
    if (!at) break;
    result.add({pg::Param(*at)});
  }
  return 0;
}

// Infinity means that there is no bound, as in alter_job().
std::optional<core::Instant> bound(const Arguments& arguments, int n) {
  if (arguments.is_null(n)) return std::nullopt;
  const TimestampTz time = DatumGetTimestampTz(arguments.datum(n));
  if (TIMESTAMP_NOT_FINITE(time)) return std::nullopt;
  return pg::to_instant(time);
}

Datum next_due(FunctionCallInfo call) {
  const Arguments arguments(call);
  TimesText times{arguments.get_text(6).value_or(""),
                  Arguments::required(arguments.get_text(0), "schedule"),
                  arguments.get_text(1),
                  bound(arguments, 2),
                  bound(arguments, 3),
                  {}};
  // Only `@after` depends on the end of the last run.
  times.last_end = bound(arguments, 7);
  if (!arguments.is_null(4)) times.blackout = pg::texts_of(arguments.datum(4), "blackout");
  const core::Instant after = Arguments::required(arguments.get_instant(5), "after");
  const std::optional<core::Instant> due = parse_times(times).next_after(after);
  call->isnull = !due;
  return due ? TimestampTzGetDatum(pg::to_timestamptz(*due)) : 0;
}

Datum describe_schedule(FunctionCallInfo call) {
  const Arguments arguments(call);
  return text_result(core::describe(parse_schedule(
      Arguments::required(arguments.get_text(0), "schedule"), arguments.get_text(1).value_or(""))));
}

std::string idle_step_hint(const core::Schedule& schedule) {
  return "A step that is longer than its range leaves the first value alone: " +
         core::describe(schedule) + ".";
}

Datum validate_schedule(FunctionCallInfo call) {
  const Arguments arguments(call);
  const std::string text = Arguments::required(arguments.get_text(0), "schedule");
  const std::string job_name = arguments.get_text(1).value_or("");
  SetResult result(call);
  try {
    // Not parse_schedule(): an invalid text is a result here, not an error.
    const core::Schedule schedule = core::Schedule::parse(text, {job_name});
    result.add({true, pg::Param::null(TEXTOID), pg::Param::null(INT4OID),
                schedule.has_idle_step() ? pg::Param(idle_step_hint(schedule))
                                         : pg::Param::null(TEXTOID)});
  } catch (const core::ScheduleError& error) {
    result.add({false, std::string(error.what()),
                pg::Param(INT4OID, Int32GetDatum(static_cast<int>(error.position()))),
                error.hint()});
  }
  return 0;
}

}  // namespace

MR_SQL_FUNCTION(mr_next_runs, next_runs);
MR_SQL_FUNCTION(mr_next_due, next_due);
MR_SQL_FUNCTION(mr_describe_schedule, describe_schedule);
MR_SQL_FUNCTION(mr_validate_schedule, validate_schedule);

}  // namespace metrics_refresh::api
