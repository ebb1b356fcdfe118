#include "core/schedule/local_time.hpp"

#include <boost/date_time/gregorian/gregorian_types.hpp>

namespace metrics_refresh::core {
namespace {

using Calendar = boost::gregorian::gregorian_calendar;

// Boost counts days by the Julian day number. This is the number of 1970-01-01.
constexpr std::int64_t kEpochDayNumber = 2440588;

}  // namespace

LocalDate date_of(LocalDay day) {
  const auto date = Calendar::from_day_number(
      static_cast<std::uint32_t>(day.time_since_epoch().count() + kEpochDayNumber));
  return {static_cast<unsigned>(date.year), date.month.as_number(), date.day};
}

LocalDay first_of_month(unsigned year, unsigned month) {
  const auto number = Calendar::day_number(
      Calendar::ymd_type(static_cast<unsigned short>(year), static_cast<unsigned short>(month), 1));
  return LocalDay{Days{static_cast<std::int64_t>(number) - kEpochDayNumber}};
}

unsigned length_of_month(unsigned year, unsigned month) {
  return Calendar::end_of_month_day(static_cast<unsigned short>(year),
                                    static_cast<unsigned short>(month));
}

}  // namespace metrics_refresh::core
