// The oracle for next_after(): tries every minute (or second) of every day against plain tables,
// and reads the rules for daylight saving time off the list of a zone's periods, one minute at a
// time. Slow, and shares nothing with core/ but the types.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/schedule/time_zone.hpp"
#include "unit/utc.hpp"

namespace metrics_refresh::core::test {

/// A day that only a month makes into a number.
struct NaiveDay {
  enum Kind { kBeforeLast, kLastWorking, kNearest, kLastWeekday, kNthWeekday } kind;
  int number = 0;  // of days before the last; of the day; of the weekday, Sunday being 0
  int nth = 0;

  static int weekday_of(std::int64_t day) { return static_cast<int>((day % 7 + 11) % 7); }
  static bool is_working(std::int64_t day) { return weekday_of(day) != 0 && weekday_of(day) != 6; }

  bool matches(std::int64_t day) const {
    const Date date = date_of(day);
    const int length = month_length(date.year, date.month);
    const std::int64_t first = day - date.day + 1;
    switch (kind) {
      case kBeforeLast:
        return date.day == length - number;
      case kLastWorking: {
        std::int64_t last = first + length - 1;
        while (!is_working(last)) --last;
        return day == last;
      }
      case kNearest: {
        if (number > length || !is_working(day)) return false;
        const int distance = std::abs(date.day - number);
        for (int other = 1; other <= length; ++other)
          if (is_working(first + other - 1) && std::abs(other - number) < distance) return false;
        return true;
      }
      case kLastWeekday:
        return weekday_of(day) == number && date.day + 7 > length;
      case kNthWeekday:
        return weekday_of(day) == number && (date.day + 6) / 7 == nth;
    }
    return false;
  }
};

struct NaiveField {
  std::string text;
  std::vector<bool> holds;
  std::vector<NaiveDay> days = {};
  bool is_open = false;  // holds a `*`, or a step that is taken

  bool is_restricted() const { return text[0] != '*' && text[0] != '?'; }
  bool has_day(std::int64_t day) const {
    return std::any_of(days.begin(), days.end(),
                       [day](const NaiveDay& each) { return each.matches(day); });
  }
};

struct NaiveCron {
  NaiveField minute, hour, day, month, weekday;
  NaiveField second = {};  // without a text: five fields

  std::string text() const {
    const std::string seconds = second.text.empty() ? "" : "@seconds " + second.text + ' ';
    return seconds + minute.text + ' ' + hour.text + ' ' + day.text + ' ' + month.text + ' ' +
           weekday.text;
  }

  bool follows_clock() const { return second.is_open || minute.is_open || hour.is_open; }

  bool matches_day(std::int64_t number) const {
    const Date date = date_of(number);
    if (!month.holds[static_cast<std::size_t>(date.month)]) return false;
    const bool by_day = day.holds[static_cast<std::size_t>(date.day)] || day.has_day(number);
    const auto index = static_cast<std::size_t>(NaiveDay::weekday_of(number));
    const bool by_weekday =
        weekday.holds[index] || (index == 0 && weekday.holds[7]) || weekday.has_day(number);
    const bool either = day.is_restricted() && weekday.is_restricted();
    return either ? by_day || by_weekday : by_day && by_weekday;
  }

  bool possible() const {
    for (std::int64_t number = day_number({2000, 1, 1}); number < day_number({2030, 1, 1});
         ++number)
      if (matches_day(number)) return true;
    return false;
  }

  /// All due times whose local dates are in [first, last), in order, each once.
  std::vector<Instant> due_times(std::int64_t first, std::int64_t last,
                                 const std::vector<TimeZone::Period>& periods) const {
    std::vector<Instant> due;
    for (std::int64_t number = first; number < last; ++number) {
      if (!matches_day(number)) continue;
      for (int time = 0; time < 1440; ++time) {
        if (!hour.holds[static_cast<std::size_t>(time / 60)]) continue;
        if (!minute.holds[static_cast<std::size_t>(time % 60)]) continue;
        const std::chrono::minutes at{number * 1440 + time};
        for (std::size_t each = 0; each < (second.text.empty() ? 1 : 60); ++each)
          if (second.text.empty() || second.holds[each])
            add(Instant{at + std::chrono::seconds{each}}, periods, due);
      }
    }
    std::sort(due.begin(), due.end());
    due.erase(std::unique(due.begin(), due.end()), due.end());
    return due;
  }

 private:
  // `reading` is what the clock shows, written as if it were UTC.
  void add(Instant reading, const std::vector<TimeZone::Period>& periods,
           std::vector<Instant>& due) const {
    bool found = false;
    for (const auto& period : periods) {
      const Instant t = reading - period.offset;
      if (t < period.begin || t >= period.end) continue;
      due.push_back(t);
      found = true;
      if (!follows_clock()) return;
    }
    if (found || follows_clock()) return;
    for (std::size_t i = 1; i < periods.size(); ++i) {
      const Instant gap = periods[i].begin;
      if (reading >= gap + periods[i - 1].offset && reading < gap + periods[i].offset) {
        due.push_back(gap);
        return;
      }
    }
  }
};

}  // namespace metrics_refresh::core::test
