#include "core/schedule/cron.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "core/schedule/clock_reading.hpp"
#include "core/schedule/cron_field.hpp"
#include "core/schedule/schedule_error.hpp"

namespace metrics_refresh::core {
namespace {

// Parsing gives each field to cron_field.cpp and combines the sets into a pattern of wall-clock
// seconds. The search for a due time depends on the fields. With a wildcard or a step in the time
// fields, each matching reading of the clock is due (next_reading). With fixed times only, each
// matching time of a day is due once (next_fixed_time). The two differ only when the clock is set
// forward or back.
//
// A text with too many fields is common: it comes from Quartz, or contains the command of a
// crontab. The errors try to recognize these cases and show the text to write instead.

using std::chrono::seconds;

constexpr std::size_t kFields = kCronFields.size();

bool is_field(const Word& word, const CronFieldRule& rule) {
  try {
    parse_cron_field(word, rule);
    return true;
  } catch (const ScheduleError&) {
    return false;
  }
}

// Returns whether the word is a year, the last of six or seven fields in Quartz.
bool is_year(const Word& word) {
  return word.text.size() == 4 && std::all_of(word.text.begin(), word.text.end(), is_digit);
}

// Returns whether the first six words can be read as six fields that start with the seconds.
bool could_have_seconds(const Words& words) {
  bool could = is_field(words[0], kSecondField);
  for (std::size_t i = 0; could && i < kFields; ++i) could = is_field(words[i + 1], kCronFields[i]);
  return could;
}

// Returns whether the text has a number that stands for a weekday, and not for a step or a count.
// The numbers of weekdays differ between Quartz and cron.
bool has_number(std::string_view weekdays) {
  for (std::size_t i = 0; i < weekdays.size(); ++i)
    if (is_digit(weekdays[i]) && (i == 0 || weekdays[i - 1] == ',' || weekdays[i - 1] == '-'))
      return true;
  return false;
}

std::string with_seconds(const Words& words) {
  std::string text = "@seconds";
  for (std::size_t i = 0; i <= kFields; ++i) text += ' ' + shortened(words[i].text);
  text += '.';
  if (has_number(words[kFields].text))
    text += " Here Sunday is day 0 or 7 and Saturday 6; in Quartz they are 1 and 7.";
  return text;
}

[[noreturn]] void refuse_sixth(const Words& words) {
  const Word& sixth = words[kFields];
  std::string hint =
      "Cron has five fields, minute hour day-of-month month day-of-week; the command is no part of "
      "a schedule.";
  if (is_year(sixth)) {
    hint =
        "There is no field for the year; a job's first and last due times are its starts_at and "
        "ends_at.";
  } else if (words.size() == kFields + 1 && could_have_seconds(words)) {
    hint =
        "pg_cron reads the first five fields, from the minute on, and no more. For six with the "
        "seconds first write " +
        with_seconds(words);
  } else if (words.size() == kFields + 2 && could_have_seconds(words)) {
    hint = "There is no field for the year. For six fields with the seconds first write " +
           with_seconds(words);
  }
  throw ScheduleError("unexpected " + quoted(sixth.text) + " after the day-of-week field",
                      sixth.position, hint);
}

[[noreturn]] void refuse_missing(const Words& words, const CronFieldRule& missing, bool six) {
  const std::string hint =
      six ? "After @seconds write six fields, second minute hour day-of-month month day-of-week."
          : schedule_forms();
  throw ScheduleError("the " + std::string(missing.name) + " field is missing", words.back().end(),
                      hint);
}

[[noreturn]] void refuse_seventh(const Word& seventh) {
  throw ScheduleError("unexpected " + quoted(seventh.text) + " after the day-of-week field",
                      seventh.position,
                      "After @seconds there are six fields, second minute hour day-of-month month "
                      "day-of-week.");
}

[[noreturn]] void refuse_days(const DayRule& day, std::uint32_t months, const Word& date,
                              const Word& weekday, bool spread) {
  // If the date alone matches, the two fields exclude each other.
  if (day.date_ever_matches(months))
    throw ScheduleError("no day matches both the day-of-month and the day-of-week field",
                        weekday.position,
                        "Where one of them begins with * a day must match both; without the * one "
                        "of them is enough.");
  std::string hint = "April, June, September and November have 30 days, February has 29 at most.";
  if (spread) hint += " A range of H up to 28 is in every month.";
  throw ScheduleError("the day-of-month field names no day that the months given have",
                      date.position, hint);
}

DayRule day_rule(const CronField& date, const CronField& weekday) {
  DayRule rule = date.day;
  rule.days = static_cast<std::uint32_t>(date.set);
  rule.weekdays = static_cast<std::uint8_t>(weekdays_of(weekday));
  rule.last_weekdays = weekday.day.last_weekdays;
  rule.nth_weekdays = weekday.day.nth_weekdays;
  // crontab(5): if both fields are restricted, a day needs to match only one of them.
  rule.either = date.is_restricted && weekday.is_restricted;
  return rule;
}

}  // namespace

CronExpression CronExpression::parse(const Words& words, std::string_view job_name) {
  CronExpression cron;
  cron.has_seconds_ = equal_ignoring_case(words.front().text, "@seconds");
  std::size_t begin = 0;
  if (cron.has_seconds_) {
    if (words.size() == 1) refuse_missing(words, kSecondField, true);
    const CronField second = parse_cron_field(words[1], kSecondField, job_name);
    cron.pattern_.seconds = second.set;
    cron.follows_clock_ = second.has_wildcard;
    cron.has_idle_step_ = second.has_idle_step;
    cron.spread_ = second.has_spread ? 1U << kSecondField.number : 0;
    begin = 2;
  }
  // Extra words are reported first: the position of a later field is meaningless with them.
  if (words.size() > begin + kFields) {
    if (cron.has_seconds_) refuse_seventh(words[begin + kFields]);
    refuse_sixth(words);
  }
  std::array<CronField, kFields> fields;
  for (std::size_t i = 0; i < kFields; ++i) {
    if (begin + i >= words.size()) refuse_missing(words, kCronFields[i], cron.has_seconds_);
    fields[i] = parse_cron_field(words[begin + i], kCronFields[i], job_name);
    cron.has_idle_step_ |= fields[i].has_idle_step;
    if (fields[i].has_spread) cron.spread_ |= 1U << kCronFields[i].number;
  }
  const auto& [minute, hour, date, month, weekday] = fields;
  if (date.is_question && weekday.is_question)
    throw ScheduleError("both day fields are ?", words[begin + 4].position,
                        "A ? says that the other field decides; for every day write *.");
  cron.pattern_.minutes = minute.set;
  cron.pattern_.hours = static_cast<std::uint32_t>(hour.set);
  cron.pattern_.months = static_cast<std::uint32_t>(month.set);
  cron.pattern_.day = day_rule(date, weekday);
  cron.follows_clock_ |= minute.has_wildcard || hour.has_wildcard;
  // Such a job would never run, so it is refused instead.
  if (!cron.pattern_.ever_matches())
    refuse_days(cron.pattern_.day, cron.pattern_.months, words[begin + 2], words[begin + 4],
                date.has_spread);
  return cron;
}

std::optional<Instant> CronExpression::next_after(Instant after, const TimeZone& zone) const {
  if (after >= kLatestInstant) return std::nullopt;
  after = std::max(after, kEarliestInstant);
  return follows_clock_ ? next_reading(after, zone) : next_fixed_time(after, zone);
}

std::optional<Instant> CronExpression::next_reading(Instant after, const TimeZone& zone) const {
  // Each period has one offset, so the search can run on the wall clock of that period.
  auto period = zone.period_at(after);
  Instant start = after;
  auto from = std::chrono::floor<seconds>(to_local(start, period.offset)) + seconds{1};
  while (true) {
    const auto match = pattern_.first_from(from);
    if (match && to_instant(*match, period.offset) < period.end) {
      return to_instant(*match, period.offset);
    }
    if (period.end >= kLatestInstant) return std::nullopt;

    // If the next change is so far away that the clock cannot be set back before `from`, no reading
    // before `match` can be due. The search can skip to `match`. So a leap day several years away
    // does not visit each period in between.
    Instant next = period.end;
    if (match && next - start >= 2 * kWidestOffset) {
      next = std::max(next, to_instant(*match, kWidestOffset));
    }
    period = zone.period_at(next);
    start = period.begin;
    from = std::chrono::ceil<seconds>(to_local(start, period.offset));
  }
}

std::optional<Instant> CronExpression::next_fixed_time(Instant after, const TimeZone& zone) const {
  // Times that the clock has already shown are past, even if it shows them again.
  const auto match = pattern_.first_from(first_open_second(after, zone));
  if (!match) return std::nullopt;
  return first_moment_of(*match, zone);
}

}  // namespace metrics_refresh::core
