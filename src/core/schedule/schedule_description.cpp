#include "core/schedule/schedule_description.hpp"

#include <cstdio>

#include "core/joined.hpp"
#include "core/schedule/day_description.hpp"

namespace metrics_refresh::core {
namespace {

// A description is built from texts for the time of day, for the days, and for the values of `H`.
// If there are few times of day, they are listed as clock times, which are easier to read than
// fields.
//
// Example: "*/15 9-17 * * 1-5" -> "every 15 minutes in the hours 9 to 17 on Monday to Friday"

constexpr std::uint64_t kAllOfSixty = (std::uint64_t{1} << 60) - 1;
constexpr std::uint32_t kAllHours = (std::uint32_t{1} << 24) - 1;
constexpr int kMostTimes = 6;  // maximum number of times in a list

int count(std::uint64_t set) { return __builtin_popcountll(set); }
unsigned lowest(std::uint64_t set) { return static_cast<unsigned>(__builtin_ctzll(set)); }
std::string number(unsigned n) { return std::to_string(n); }

std::string two_digits(unsigned n) { return (n < 10 ? "0" : "") + number(n); }

// If the set is 0, n, 2n, ... and n divides `size`, returns n; otherwise returns 0. A step that
// does not divide the range, such as */7, is irregular and therefore listed.
unsigned step_of(std::uint64_t set, unsigned size) {
  const unsigned members = static_cast<unsigned>(count(set));
  if (members < 2 || size % members != 0) return 0;
  const unsigned step = size / members;
  for (unsigned n = 0; n < size; n += step)
    if ((set >> n & 1U) == 0) return 0;
  return step;
}

// For example "every 5 minutes", "at minute 17" or "at minutes 1, 2 and 5".
std::string unit_text(std::uint64_t set, unsigned size, const std::string& unit) {
  const unsigned step = step_of(set, size);
  if (step == 1) return "every " + unit;
  if (step > 1) return "every " + number(step) + " " + unit + "s";
  return "at " + unit + (count(set) > 1 ? "s " : " ") + joined(items_of(set, number));
}

std::string clock_text(unsigned hour, unsigned minute, std::optional<unsigned> second) {
  std::string text = two_digits(hour) + ":" + two_digits(minute);
  return second ? text + ":" + two_digits(*second) : text;
}

std::string times_text(const ClockPattern& pattern, bool has_seconds) {
  std::vector<std::string> times;
  for (std::uint64_t hours = pattern.hours; hours != 0; hours &= hours - 1)
    for (std::uint64_t minutes = pattern.minutes; minutes != 0; minutes &= minutes - 1)
      for (std::uint64_t seconds = pattern.seconds; seconds != 0; seconds &= seconds - 1)
        times.push_back(clock_text(lowest(hours), lowest(minutes),
                                   has_seconds ? std::optional(lowest(seconds)) : std::nullopt));
  return "at " + joined(times);
}

std::string hours_text(std::uint32_t hours) {
  if (hours == kAllHours) return {};
  return " in the hour" + std::string(count(hours) > 1 ? "s " : " ") +
         joined(items_of(hours, number));
}

std::string units_text(const CronExpression& cron) {
  const ClockPattern& pattern = cron.pattern();
  std::string text;
  if (cron.has_seconds()) {
    text = unit_text(pattern.seconds, 60, "second");
    if (pattern.minutes == kAllOfSixty) {
      // "every second" already implies every minute.
      if (text.compare(0, 2, "at") == 0) text += " of every minute";
      return text + hours_text(pattern.hours);
    }
    return text + " of minute" + (count(pattern.minutes) > 1 ? "s " : " ") +
           joined(items_of(pattern.minutes, number)) +
           (pattern.hours == kAllHours ? " of every hour" : hours_text(pattern.hours));
  }
  text += unit_text(pattern.minutes, 60, "minute");
  if (pattern.hours == kAllHours)
    return step_of(pattern.minutes, 60) == 0 ? text + " of every hour" : text;
  const unsigned step = step_of(pattern.hours, 24);
  if (step > 1 && step_of(pattern.minutes, 60) == 0)
    return text + " of every " + number(step) + " hours from midnight";
  return text + hours_text(pattern.hours);
}

// Texts for times that follow the clock contain "every", and texts for fixed times do not. If a
// text differs from this, a note describes the behavior at daylight saving changes.
std::string time_text(const CronExpression& cron) {
  const ClockPattern& pattern = cron.pattern();
  const bool follows = cron.follows_clock();
  std::string text = units_text(cron);
  bool says_every = text.find("every") != std::string::npos;
  const int times = count(pattern.hours) * count(pattern.minutes) * count(pattern.seconds);
  if (times <= kMostTimes && !(follows && says_every)) {
    text = times_text(pattern, cron.has_seconds());
    says_every = false;
  }
  if (says_every == follows) return text;
  return text + (follows ? " (twice if an hour repeats, not if one is skipped)"
                         : " (once if an hour repeats, right after one that is skipped)");
}

// Returns the values that `H` stands for, field by field.
std::string spread_text(const CronExpression& cron) {
  if (!cron.has_spread()) return {};
  const ClockPattern& pattern = cron.pattern();
  std::vector<std::string> items;
  const auto add = [&](unsigned field, std::uint64_t set, const char* name) {
    if (cron.has_spread(field))
      items.push_back(std::string(name) + " " + joined(items_of(set, number)));
  };
  add(5, pattern.seconds, "second");
  add(0, pattern.minutes, "minute");
  add(1, pattern.hours, "hour");
  add(2, pattern.day.days, "day-of-month");
  add(3, pattern.months, "month");
  add(4, pattern.day.weekdays, "day-of-week");
  return "; with H the field is " + joined(items, ", ") + " for this job";
}

std::string counted(std::int64_t n, const char* unit) {
  return std::to_string(n) + " " + unit + (n == 1 ? "" : "s");
}

std::string length_text(std::int64_t seconds) {
  std::string text;
  const auto add = [&](std::int64_t n, const char* unit) {
    if (n != 0) append_item(text, counted(n, unit), " ");
  };
  add(seconds / 3600, "hour");
  add(seconds / 60 % 60, "minute");
  add(seconds % 60, "second");
  return text;
}

std::string every(std::int64_t n, const char* unit) {
  return n == 1 ? "every " + std::string(unit) : "every " + counted(n, unit);
}

struct Describe {
  std::string operator()(const CronExpression& cron) const {
    return time_text(cron) + describe_days(cron) + spread_text(cron);
  }
  std::string operator()(const Interval& interval) const {
    switch (interval.unit()) {
      case Interval::Unit::kDays:
        return every(interval.count(), "day") + " at 00:00" +
               (interval.count() == 1 ? "" : ", counted from 1970-01-01");
      case Interval::Unit::kWeeks:
        return every(interval.count(), "week") + " on Monday at 00:00" +
               (interval.count() == 1 ? "" : ", counted from 1969-12-29");
      case Interval::Unit::kMonths:
        return every(interval.count(), "month") + " on the 1st at 00:00" +
               (interval.count() == 1 ? "" : ", counted from January 1970");
      case Interval::Unit::kSeconds:
        break;
    }
    // The origin is part of the description, because it determines the due times.
    return "every " + length_text(interval.count()) + ", counted from 1970-01-01 00:00 UTC";
  }
  std::string operator()(const AfterFinish& rule) const {
    return length_text(std::chrono::duration_cast<std::chrono::seconds>(rule.pause).count()) +
           " after the end of the previous run";
  }
  std::string operator()(const AtServerStart&) const { return "once at each start of the server"; }
};

}  // namespace

std::string describe(const Schedule& schedule) {
  std::string text;
  for (std::size_t i = 0; i < schedule.size(); ++i) {
    if (i > 0) text += "; and ";
    text += std::visit(Describe{}, schedule.rule(i));
  }
  return text;
}

}  // namespace metrics_refresh::core
