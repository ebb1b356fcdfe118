// What a description says of a cron expression, and a text of such an expression.
#pragma once

#include <array>
#include <iterator>
#include <string>

#include "unit/description_words.hpp"

namespace metrics_refresh::core::test {

struct DescribedCron {
  Numbers seconds, minutes, hours, months;
  bool follows_clock = false;

  bool has_dates = false;
  Numbers dates, nearest, before_last;
  bool last_working_day = false;

  bool has_weekdays = false;
  Numbers weekdays, last_weekdays;
  std::array<Numbers, 5> nth_weekdays;

  bool both = false;  // a day must match by date and by weekday

  std::string text() const {
    std::string minute = list(minutes);
    // A step makes a schedule follow the clock; one over a single number changes nothing else.
    const std::string first = std::to_string(*minutes.begin());
    if (follows_clock) minute += "," + first + "-" + first + "/1";
    std::string date = has_dates ? date_text() : "*";
    std::string weekday = has_weekdays ? weekday_text() : "*";
    if (both && !begin_with_star(date, dates, 1, 31)) begin_with_star(weekday, weekdays, 0, 6);
    return (seconds.empty() ? "" : "@seconds " + list(seconds) + " ") + minute + " " + list(hours) +
           " " + date + " " + list(months) + " " + weekday;
  }

 private:
  static void append(std::string& text, const std::string& item) {
    text += (text.empty() ? "" : ",") + item;
  }

  // With ranges, for the length of a schedule has an end.
  static std::string list(const Numbers& set) {
    std::string text;
    for (auto n = set.begin(); n != set.end(); ++n) {
      const unsigned first = *n;
      while (std::next(n) != set.end() && *std::next(n) == *n + 1) ++n;
      append(text, std::to_string(first) + (*n == first ? "" : "-" + std::to_string(*n)));
    }
    return text;
  }

  std::string date_text() const {
    std::string text = list(dates);
    for (const unsigned n : nearest) append(text, std::to_string(n) + "W");
    for (const unsigned n : before_last) append(text, n == 0 ? "L" : "L-" + std::to_string(n));
    if (last_working_day) append(text, "LW");
    return text;
  }

  std::string weekday_text() const {
    std::string text = list(weekdays);
    for (const unsigned n : last_weekdays) append(text, std::to_string(n) + "L");
    for (std::size_t i = 0; i < nth_weekdays.size(); ++i)
      for (const unsigned n : nth_weekdays[i])
        append(text, std::to_string(n) + "#" + std::to_string(i + 1));
    return text;
  }

  // Puts a `*/n` before the field that names nothing but what the field names already.
  static bool begin_with_star(std::string& text, const Numbers& set, unsigned low, unsigned high) {
    for (unsigned step = 1; step <= high - low; ++step) {
      bool within = true;
      for (unsigned n = low; n <= high; n += step) within = within && set.count(n) != 0;
      if (!within) continue;
      text.insert(0, "*/" + std::to_string(step) + ",");
      return true;
    }
    return false;
  }
};

}  // namespace metrics_refresh::core::test
