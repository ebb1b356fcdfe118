#include "core/minute_pattern.hpp"

#include <algorithm>
#include <boost/date_time/gregorian/gregorian_types.hpp>

namespace metrics_refresh::core {
namespace {

using Calendar = boost::gregorian::gregorian_calendar;

// Boost counts days by the Julian day number.
constexpr std::int64_t kEpochDayNumber = 2440588;
constexpr unsigned kLastYear = 9999;

unsigned lowest(std::uint32_t set) { return static_cast<unsigned>(__builtin_ctz(set)); }
unsigned lowest(std::uint64_t set) { return static_cast<unsigned>(__builtin_ctzll(set)); }

// What is left of `set` from the number `first` on. REQUIRES: first is less than the type's width.
template <typename Set>
Set from_number(Set set, unsigned first) {
  return set >> first << first;
}

LocalDay day_of(unsigned year, unsigned month, unsigned day) {
  const auto number = Calendar::day_number(Calendar::ymd_type(static_cast<unsigned short>(year),
                                                              static_cast<unsigned short>(month),
                                                              static_cast<unsigned short>(day)));
  return LocalDay{Days{static_cast<std::int64_t>(number) - kEpochDayNumber}};
}

unsigned length_of_month(unsigned year, unsigned month) {
  return Calendar::end_of_month_day(static_cast<unsigned short>(year),
                                    static_cast<unsigned short>(month));
}

}  // namespace

bool MinutePattern::ever_matches() const {
  if (either_day) return true;
  constexpr unsigned kLeapYear = 2000;
  for (unsigned month = 1; month <= 12; ++month) {
    if ((months >> month & 1U) != 0 && lowest(days) <= length_of_month(kLeapYear, month)) {
      return true;  // every date falls on each weekday in some year, 29 February too
    }
  }
  return false;
}

std::optional<LocalMinute> MinutePattern::first_from(LocalMinute from) const {
  from = std::max(from, LocalMinute{kCalendarBegin});
  const auto today = std::chrono::floor<Days>(from);
  std::optional<LocalDay> day = first_day_from(today);
  std::optional<std::chrono::minutes> time;
  if (day == today) {
    time = first_time_from(from - today);
    if (!time) day = first_day_from(today + Days{1});
  }
  if (!day) return std::nullopt;
  if (!time) time = first_time_from(std::chrono::minutes{0});
  return *day + *time;
}

std::optional<LocalDay> MinutePattern::first_day_from(LocalDay from) const {
  if (from >= kCalendarEnd) return std::nullopt;
  const auto date = Calendar::from_day_number(
      static_cast<std::uint32_t>(from.time_since_epoch().count() + kEpochDayNumber));
  unsigned year = date.year;
  unsigned month = date.month.as_number();
  unsigned first = date.day;
  while (true) {
    const std::uint32_t months_left = from_number(months, month);
    const unsigned next_month = lowest(months_left != 0 ? months_left : months);
    if (months_left == 0) ++year;
    if (next_month != month || months_left == 0) first = 1;
    if (year > kLastYear) return std::nullopt;

    const LocalDay first_of_month = day_of(year, next_month, 1);
    const std::uint32_t left =
        from_number(days_in(year, next_month, weekday_of(first_of_month)), first);
    if (left != 0) return first_of_month + Days{lowest(left) - 1};
    month = next_month + 1;
    first = 1;
  }
}

// The matching days of one month as a mask.
std::uint32_t MinutePattern::days_in(unsigned year, unsigned month, unsigned first_weekday) const {
  // Turn the week so that bit 0 is the weekday of the 1st, then lay it five times in a row.
  const std::uint32_t week = (weekdays >> first_weekday | weekdays << (7 - first_weekday)) & 0x7FU;
  const auto by_weekday = static_cast<std::uint32_t>(week * std::uint64_t{0x10204081} << 1);
  const std::uint32_t wanted = either_day ? days | by_weekday : days & by_weekday;
  const std::uint64_t end = std::uint64_t{2} << length_of_month(year, month);
  return wanted & static_cast<std::uint32_t>(end - 1);
}

std::optional<std::chrono::minutes> MinutePattern::first_time_from(
    std::chrono::minutes from) const {
  const auto hour = static_cast<unsigned>(from.count() / 60);
  const auto minute = static_cast<unsigned>(from.count() % 60);
  if ((hours >> hour & 1U) != 0) {
    const std::uint64_t minutes_left = from_number(minutes, minute);
    if (minutes_left != 0) return std::chrono::minutes{hour * 60 + lowest(minutes_left)};
  }
  const std::uint32_t hours_left = from_number(hours, hour + 1);
  if (hours_left == 0) return std::nullopt;
  return std::chrono::minutes{lowest(hours_left) * 60 + lowest(minutes)};
}

}  // namespace metrics_refresh::core
