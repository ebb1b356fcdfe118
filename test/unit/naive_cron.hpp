// The oracle for next_after(): tries every minute of every day against plain tables, and reads the
// rules for daylight saving time off the list of a zone's periods, one minute at a time. Slow, and
// shares nothing with core/ but the types.
#pragma once

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "core/time_zone.hpp"
#include "unit/utc.hpp"

namespace metrics_refresh::core::test {

struct NaiveField {
  std::string text;
  std::vector<bool> holds;
};

struct NaiveCron {
  NaiveField minute, hour, day, month, weekday;

  std::string text() const {
    return minute.text + ' ' + hour.text + ' ' + day.text + ' ' + month.text + ' ' + weekday.text;
  }

  bool follows_clock() const {
    return (minute.text + hour.text).find_first_of("*/") != std::string::npos;
  }

  bool matches_day(std::int64_t number) const {
    const Date date = date_of(number);
    if (!month.holds[static_cast<std::size_t>(date.month)]) return false;
    const bool by_day = day.holds[static_cast<std::size_t>(date.day)];
    const auto index = static_cast<std::size_t>((number % 7 + 11) % 7);  // 1970-01-01: Thursday
    const bool by_weekday = weekday.holds[index] || (index == 0 && weekday.holds[7]);
    const bool either = day.text[0] != '*' && weekday.text[0] != '*';
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
        add(Instant{std::chrono::minutes{number * 1440 + time}}, periods, due);
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

/// Draws expressions of every form that the grammar has.
class NaiveCronSource {
 public:
  explicit NaiveCronSource(unsigned seed) : random_(seed) {}

  int number(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }

  NaiveCron next() {
    while (true) {
      const bool rare = number(0, 3) != 0;  // else dense in time of day: thousands of due times
      NaiveCron cron{field(0, 59, 59, rare), field(0, 23, 23, rare), field(1, 31, 31, false),
                     field(1, 12, 12, false), field(0, 7, 6, false)};
      if (cron.possible()) return cron;
    }
  }

 private:
  NaiveField field(int low, int high, int last, bool rare) {
    NaiveField result{"", std::vector<bool>(static_cast<std::size_t>(high) + 1)};
    const int items = number(0, 3) == 0 ? number(2, 4) : 1;
    for (int i = 0; i < items; ++i) {
      if (i > 0) result.text += ',';
      const int form = number(rare ? 2 : 0, 9);
      if (form <= 2) {
        const int step = form == 2 ? number(1, last - low) : 1;
        result.text += form == 2 ? "*/" + std::to_string(step) : "*";
        fill(result, low, last, step);
      } else if (form <= 6) {
        const int value = number(low, high);
        result.text += std::to_string(value);
        fill(result, value, value, 1);
      } else {
        const int from = number(low, high);
        const int to = number(from, high);
        const int step = form == 9 ? number(1, std::max(to - from, 1)) : 1;
        result.text += std::to_string(from) + "-" + std::to_string(to);
        if (form == 9) result.text += "/" + std::to_string(step);
        fill(result, from, to, step);
      }
    }
    return result;
  }

  static void fill(NaiveField& field, int from, int to, int step) {
    for (int n = from; n <= to; n += step) field.holds[static_cast<std::size_t>(n)] = true;
  }

  std::mt19937 random_;
};

}  // namespace metrics_refresh::core::test
