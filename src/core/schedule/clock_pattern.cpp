#include "core/schedule/clock_pattern.hpp"

#include <algorithm>

namespace metrics_refresh::core {
// The search goes from the largest unit to the smallest: first the month, then the day in it, then
// the time of day. Each step takes the lowest member of a bit mask, so no second or day is tried in
// vain.

namespace {

unsigned lowest(std::uint32_t set) { return static_cast<unsigned>(__builtin_ctz(set)); }
unsigned lowest(std::uint64_t set) { return static_cast<unsigned>(__builtin_ctzll(set)); }

// Returns the members of `set` that are at least `first`. REQUIRES: `first` is less than the width
// of the type.
template <typename Set>
Set from_number(Set set, unsigned first) {
  return set >> first << first;
}

}  // namespace

std::optional<LocalSecond> ClockPattern::first_from(LocalSecond from) const {
  from = std::max(from, LocalSecond{kCalendarBegin});
  const auto today = std::chrono::floor<Days>(from);
  std::optional<LocalDay> found = first_day_from(today);
  std::optional<std::chrono::seconds> time;
  // The rest of today counts only if today itself matches.
  if (found == today) {
    time = first_time_from(from - today);
    if (!time) found = first_day_from(today + Days{1});
  }
  if (!found) return std::nullopt;
  if (!time) time = first_time_from(std::chrono::seconds{0});
  return *found + *time;
}

std::optional<LocalDay> ClockPattern::first_day_from(LocalDay from) const {
  if (from >= kCalendarEnd) return std::nullopt;
  auto [year, month, first] = date_of(from);
  while (true) {
    // If no month is left in this year, the search continues with the first one of the next year.
    const std::uint32_t months_left = from_number(months, month);
    const unsigned next_month = lowest(months_left != 0 ? months_left : months);
    if (months_left == 0) ++year;
    if (next_month != month || months_left == 0) first = 1;
    if (year > kLastYear) return std::nullopt;

    // The days depend on the length of the month and on the weekday of its first day.
    const LocalDay begin = first_of_month(year, next_month);
    const std::uint32_t left =
        from_number(day.days_in(length_of_month(year, next_month), weekday_of(begin)), first);
    if (left != 0) return begin + Days{lowest(left) - 1};
    month = next_month + 1;
    first = 1;
  }
}

std::optional<std::chrono::seconds> ClockPattern::first_time_from(std::chrono::seconds from) const {
  const auto time = [](unsigned hour, unsigned minute, unsigned second) {
    return std::chrono::seconds{(hour * 60 + minute) * 60 + second};
  };
  const auto hour = static_cast<unsigned>(from.count() / 3600);
  const auto minute = static_cast<unsigned>(from.count() / 60 % 60);
  const auto second = static_cast<unsigned>(from.count() % 60);
  // Within the current hour, the search continues after the current minute. Later hours start from
  // their lowest minute and second.
  if ((hours >> hour & 1U) != 0) {
    const std::uint64_t seconds_left = from_number(seconds, second);
    if ((minutes >> minute & 1U) != 0 && seconds_left != 0)
      return time(hour, minute, lowest(seconds_left));
    const std::uint64_t minutes_left = from_number(minutes, minute + 1);
    if (minutes_left != 0) return time(hour, lowest(minutes_left), lowest(seconds));
  }
  const std::uint32_t hours_left = from_number(hours, hour + 1);
  if (hours_left == 0) return std::nullopt;
  return time(lowest(hours_left), lowest(minutes), lowest(seconds));
}

}  // namespace metrics_refresh::core
