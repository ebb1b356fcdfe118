#include "core/schedule/day_rule.hpp"

namespace metrics_refresh::core {
namespace {

constexpr unsigned kSunday = 0;
constexpr unsigned kSaturday = 6;

// All masks use bit n for day n, so that sets of days are combined by bit operations.
unsigned lowest(std::uint32_t set) { return static_cast<unsigned>(__builtin_ctz(set)); }

// Returns the days 1 to `length`.
std::uint32_t whole_month(unsigned length) {
  return static_cast<std::uint32_t>((std::uint64_t{2} << length) - 2);
}

// Returns all days of a month of 31 days that are one of `weekdays`. `first` is the weekday of the
// 1st.
std::uint32_t spread_out(std::uint32_t weekdays, unsigned first) {
  // Rotate the week so that bit 0 is the weekday of the 1st, then repeat it five times. The
  // constant has a bit for each multiple of 7.
  const std::uint32_t week = (weekdays >> first | weekdays << (7 - first)) & 0x7FU;
  return static_cast<std::uint32_t>(week * std::uint64_t{0x10204081} << 1);
}

// As in Quartz, the result stays in the month: the 1st on a Saturday moves to Monday the 3rd.
unsigned working_day_near(unsigned day, unsigned length, unsigned first) {
  const unsigned weekday = (first + day - 1) % 7;
  if (weekday == kSaturday) return day == 1 ? 3 : day - 1;
  if (weekday == kSunday) return day == length ? day - 2 : day + 1;
  return day;
}

}  // namespace

std::uint32_t DayRule::by_date(unsigned length, unsigned first) const {
  // `before_last` is stored for a month of 31 days, so it is shifted for shorter months.
  std::uint32_t found = days | (before_last >> (31 - length));
  if (last_working_day) found |= 1U << working_day_near(length, length, first);
  for (std::uint32_t left = nearest & whole_month(length); left != 0; left &= left - 1)
    found |= 1U << working_day_near(lowest(left), length, first);
  return found & whole_month(length);
}

std::uint32_t DayRule::by_weekday(unsigned length, unsigned first) const {
  std::uint32_t found = spread_out(weekdays, first);
  // The last weekday of a kind is in the last seven days.
  if (last_weekdays != 0) found |= spread_out(last_weekdays, first) & ~whole_month(length - 7);
  // The nth weekday of a kind is in the nth group of seven days.
  std::uint32_t week = 0x7FU << 1;
  for (const std::uint8_t each : nth_weekdays) {
    if (each != 0) found |= spread_out(each, first) & week;
    week <<= 7;
  }
  return found & whole_month(length);
}

std::uint32_t DayRule::days_in(unsigned length, unsigned first) const {
  const std::uint32_t date = by_date(length, first);
  const std::uint32_t weekday = by_weekday(length, first);
  return either ? date | weekday : date & weekday;
}

// A year begins with one of seven weekdays, and it is a leap year or not. All 14 kinds of years
// occur within 400 years, so it is enough to try each kind once.
bool DayRule::ever(std::uint32_t months, Days days_of) const {
  constexpr std::array<unsigned, 12> kLengths = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  for (unsigned first_of_year = 0; first_of_year < 7; ++first_of_year) {
    for (unsigned leap = 0; leap < 2; ++leap) {
      unsigned first = first_of_year;
      for (unsigned month = 1; month <= 12; ++month) {
        const unsigned length = kLengths[month - 1] + (month == 2 ? leap : 0);
        if ((months >> month & 1U) != 0 && (this->*days_of)(length, first) != 0) return true;
        first = (first + length) % 7;
      }
    }
  }
  return false;
}

}  // namespace metrics_refresh::core
