#include "core/import/pg_cron_schedule.hpp"

#include <algorithm>

#include "core/import/pg_cron_reader.hpp"
#include "core/joined.hpp"
#include "core/schedule/schedule.hpp"
#include "core/schedule/schedule_description.hpp"
#include "core/schedule/schedule_text.hpp"

namespace metrics_refresh::core {
namespace {

// A schedule is taken over by its due times. The text is read as pg_cron reads it, and the
// resulting sets are compared with the sets of our own reading. If they are equal, the text is
// kept. Otherwise the part that pg_cron used is tried, and then a text that lists the numbers of
// the sets. A remark tells the user about any difference.
//
// Example: "*/90 * * * *" is the text of a job of pg_cron 1.5
//   pg_cron reads minute 0 of every hour; our parser refuses the step
//   -> the schedule "0 * * * *", and a remark

constexpr std::size_t kDayOfMonth = 2;
constexpr std::size_t kDayOfWeek = 4;

std::string join(const PgCronReading& reading) {
  std::string text;
  for (const PgCronField& field : reading.fields) append_item(text, field.text, " ");
  return text;
}

ClockPattern pattern_of(const PgCronReading& reading) {
  const auto& [minute, hour, date, month, weekday] = reading.fields;
  ClockPattern pattern;
  pattern.minutes = minute.set;
  pattern.hours = static_cast<std::uint32_t>(hour.set);
  pattern.months = static_cast<std::uint32_t>(month.set);
  pattern.day.days = static_cast<std::uint32_t>(date.set);
  pattern.day.before_last = date.last_day ? std::uint32_t{1} << 31 : 0;
  pattern.day.weekdays = static_cast<std::uint8_t>(weekday.set);
  // pg_cron tests for a leading star only, like cron.
  pattern.day.either = !date.has_star && !weekday.has_star;
  return pattern;
}

bool is_ever_due(const ClockPattern& pattern) {
  return pattern.minutes != 0 && pattern.hours != 0 && pattern.months != 0 &&
         pattern.ever_matches();
}

bool is_same(const DayRule& a, const DayRule& b) {
  return a.days == b.days && a.before_last == b.before_last && a.nearest == b.nearest &&
         a.last_working_day == b.last_working_day && a.weekdays == b.weekdays &&
         a.last_weekdays == b.last_weekdays && a.nth_weekdays == b.nth_weekdays &&
         a.either == b.either;
}

bool is_same(const ClockPattern& a, const ClockPattern& b) {
  return a.seconds == b.seconds && a.minutes == b.minutes && a.hours == b.hours &&
         a.months == b.months && is_same(a.day, b.day);
}

// A text that our parser refuses is an expected case here, not an error.
std::optional<Schedule> try_parse(const std::string& text) {
  try {
    return Schedule::parse(text);
  } catch (const ScheduleError&) {
    return std::nullopt;
  }
}

// Returns whether the text has exactly this pattern in our dialect, for every job name.
bool has_pattern(const std::string& text, const ClockPattern& pattern) {
  const std::optional<Schedule> schedule = try_parse(text);
  if (!schedule || schedule->size() > 1) return false;
  const auto* cron = std::get_if<CronExpression>(&schedule->rule(0));
  // The value of an `H` depends on the job's name, and pg_cron has no `H`.
  return cron != nullptr && !cron->has_spread() && is_same(cron->pattern(), pattern);
}

std::string numbers(std::uint64_t set) {
  std::string list;
  for (unsigned n = 0; n < 64; ++n) {
    if ((set >> n & 1U) == 0) continue;
    unsigned last = n;
    while (last < 63 && (set >> (last + 1) & 1U) != 0) ++last;
    if (!list.empty()) list += ',';
    list += std::to_string(n);
    if (last > n) list += '-' + std::to_string(last);
    n = last;
  }
  return list;
}

// Returns the same sets as lists of numbers. The star at the start of a day field is kept, because
// it changes how the two day fields are combined.
std::string spelled_out(PgCronReading reading) {
  for (std::size_t i = 0; i < reading.fields.size(); ++i) {
    PgCronField& field = reading.fields[i];
    const bool is_day = i == kDayOfMonth || i == kDayOfWeek;
    if (field.set != 0 && !(field.has_star && (is_day || field.text == "*")))
      field.text = numbers(field.set);
  }
  return join(reading);
}

// Returns a description of the text in our dialect, or an empty text if it is not valid there.
std::string other_meaning(const std::string& text) {
  const std::optional<Schedule> schedule = try_parse(text);
  return schedule ? "; here the text would mean: " + describe(*schedule) : "";
}

FromPgCron no_schedule(const std::string& text, const std::string& reason) {
  return {"", reason + other_meaning(text)};
}

FromPgCron from_fields(const std::string& text, const PgCronReading& reading) {
  const ClockPattern pattern = pattern_of(reading);
  // An empty set is possible, for example after a reversed range.
  if (!is_ever_due(pattern)) return no_schedule(text, "pg_cron never runs it, for no time matches");
  if (has_pattern(text, pattern)) return {text, ""};
  // The shorter text comes first, so that the schedule looks like the one that the user wrote.
  for (const std::string& schedule : {join(reading), spelled_out(reading)})
    if (has_pattern(schedule, pattern))
      return {schedule, "pg_cron reads the schedule as \"" + schedule + "\"" + other_meaning(text)};
  return no_schedule(text, "the due times of pg_cron cannot be written as a schedule");
}

FromPgCron from_nickname(const std::string& text, const std::string& nickname,
                         PgCronVersion version) {
  if (nickname == "@reboot" || nickname == "@restart")
    return {"@reboot", "pg_cron runs it also when its own launcher starts anew"};
  if (version >= PgCronVersion::k1_6 && (nickname == "@yearly" || nickname == "@annually"))
    return no_schedule(text, "pg_cron 1.6 never runs " + nickname);
  if (has_pattern(text, std::get<CronExpression>(Schedule::parse(nickname).rule(0)).pattern()))
    return {text, ""};
  return {nickname, "pg_cron reads the schedule as \"" + nickname + "\"" + other_meaning(text)};
}

}  // namespace

PgCronVersion pg_cron_version(std::string_view extversion) {
  const bool is_known = extversion.size() >= 3 && extversion.substr(0, 2) == "1." &&
                        is_digit(extversion[2]) &&
                        (extversion.size() == 3 || !is_digit(extversion[3]));
  // A newer or unknown version most likely behaves like the newest known one.
  if (!is_known || extversion[2] >= '6') return PgCronVersion::k1_6;
  return extversion[2] == '5' ? PgCronVersion::k1_5 : PgCronVersion::k1_0;
}

std::optional<std::string> as_pg_cron_reads(std::string_view text, PgCronVersion version) {
  const std::optional<PgCronReading> reading = read_as_pg_cron(text, version);
  if (!reading) return std::nullopt;
  if (!reading->nickname.empty()) return reading->nickname;
  if (reading->seconds != 0) return std::to_string(reading->seconds) + " seconds";
  return join(*reading);
}

FromPgCron from_pg_cron(std::string_view given, PgCronVersion version) {
  const std::string text(given);
  const std::optional<PgCronReading> reading = read_as_pg_cron(text, version);
  if (!reading) return no_schedule(text, "pg_cron refuses the schedule");
  if (!reading->nickname.empty()) return from_nickname(text, reading->nickname, version);
  if (reading->is_fields()) return from_fields(text, *reading);
  return {
      std::to_string(reading->seconds) + " seconds",
      "due at whole multiples of the interval, where pg_cron counts from the previous start; no "
      "run begins in the two seconds after the import"};
}

}  // namespace metrics_refresh::core
