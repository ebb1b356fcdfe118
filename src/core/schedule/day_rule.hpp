// Which days of a month are meant, by their number, by their distance from its end, by weekday and
// by the weekday's count in the month. Told how long a month is and with which weekday it begins,
// it answers with its days.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <array>
#include <cstdint>

namespace metrics_refresh::core {

/// Bit n of a mask stands for the number n; of weekdays Sunday is 0.
struct DayRule {
  // The day-of-month field.
  std::uint32_t days = 0;         ///< 1-31
  std::uint32_t before_last = 0;  ///< as days of a month of 31: bit 31 the last, bit 30 the one
                                  ///< before
  std::uint32_t nearest = 0;      ///< the Monday to Friday nearest to the day n, in the same month
  bool last_working_day = false;  ///< the last Monday to Friday
  // The day-of-week field.
  std::uint8_t weekdays = 0;                   ///< every one
  std::uint8_t last_weekdays = 0;              ///< the last one of the month
  std::array<std::uint8_t, 5> nth_weekdays{};  ///< the first, the second, ... of the month

  bool either = false;  ///< a day matches by one of the fields, else it must by both

  /// The days of a month as a mask; bits 1 to `length` alone. It begins with the weekday `first`.
  std::uint32_t days_in(unsigned length, unsigned first) const;
  std::uint32_t by_date(unsigned length, unsigned first) const;
  std::uint32_t by_weekday(unsigned length, unsigned first) const;

  /// Whether any year has a matching day in one of `months`.
  bool ever_matches(std::uint32_t months) const { return ever(months, &DayRule::days_in); }
  bool date_ever_matches(std::uint32_t months) const { return ever(months, &DayRule::by_date); }

 private:
  using Days = std::uint32_t (DayRule::*)(unsigned length, unsigned first) const;
  bool ever(std::uint32_t months, Days days) const;
};

}  // namespace metrics_refresh::core
