// Instants as text in UTC, so that tests read as sentences and fail readably. The calendar is
// computed here without Boost, which makes it a second opinion on core/.
#pragma once

#include <cstdint>
#include <cstdio>
#include <optional>
#include <stdexcept>
#include <string>

#include "core/instant.hpp"

namespace metrics_refresh::core::test {

struct Date {
  std::int64_t year;
  int month;
  int day;
};

inline bool is_leap_year(std::int64_t year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

inline int month_length(std::int64_t year, int month) {
  if (month == 2) return is_leap_year(year) ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/// Days from 1970-01-01 to the date: whole years by the leap-year rule, then month by month.
inline std::int64_t day_number(Date date) {
  const std::int64_t before = date.year - 1;
  std::int64_t days = before * 365 + before / 4 - before / 100 + before / 400 - 719162;
  for (int month = 1; month < date.month; ++month) days += month_length(date.year, month);
  return days + date.day - 1;
}

/// REQUIRES: a day in the years 1 to 9999 or a little after.
inline Date date_of(std::int64_t number) {
  std::int64_t year = 1970 + number / 366 - (number < 0 ? 20 : 0);
  year = year < 1 ? 1 : year;
  while (day_number({year + 1, 1, 1}) <= number) ++year;
  while (day_number({year, 1, 1}) > number) --year;
  int month = 1;
  while (month < 12 && day_number({year, month + 1, 1}) <= number) ++month;
  return {year, month, static_cast<int>(number - day_number({year, month, 1})) + 1};
}

/// "2024-03-31 01:00", with seconds and a fraction of up to six digits if you like.
inline Instant utc(const std::string& text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0;
  double second = 0;
  if (std::sscanf(text.c_str(), "%d-%d-%d %d:%d:%lf", &year, &month, &day, &hour, &minute,
                  &second) < 5) {
    throw std::invalid_argument("not a time: " + text);
  }
  return Instant{std::chrono::hours{day_number({year, month, day}) * 24 + hour} +
                 std::chrono::minutes{minute} +
                 Duration{static_cast<std::int64_t>(second * 1e6 + 0.5)}};
}

/// The reverse; seconds and fraction only where they are not zero.
inline std::string text_of(std::optional<Instant> t) {
  if (!t) return "never";
  const std::int64_t us = t->time_since_epoch().count();
  constexpr std::int64_t kDay = 86'400'000'000;
  const std::int64_t number = us / kDay - (us % kDay < 0 ? 1 : 0);
  const std::int64_t in_day = us - number * kDay;
  const Date date = date_of(number);
  char buffer[80];
  std::snprintf(buffer, sizeof buffer, "%04d-%02d-%02d %02d:%02d", static_cast<int>(date.year),
                date.month, date.day, static_cast<int>(in_day / 3'600'000'000),
                static_cast<int>(in_day / 60'000'000 % 60));
  std::string text = buffer;
  if (in_day % 60'000'000 != 0) {
    std::snprintf(buffer, sizeof buffer, ":%02d", static_cast<int>(in_day / 1'000'000 % 60));
    text += buffer;
  }
  if (in_day % 1'000'000 != 0) {
    std::snprintf(buffer, sizeof buffer, ".%06d", static_cast<int>(in_day % 1'000'000));
    text += buffer;
  }
  return text;
}

}  // namespace metrics_refresh::core::test
