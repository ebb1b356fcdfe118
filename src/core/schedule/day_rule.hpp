// Selects days of a month by number, by distance from its end, by weekday, or by the count of a
// weekday in the month. Given the length of a month and the weekday of its first day, it returns
// the selected days.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <array>
#include <cstdint>

namespace metrics_refresh::core {

/// Bit n of a mask stands for the number n. For weekdays, Sunday is 0.
struct DayRule {
  // The day-of-month field.
  std::uint32_t days = 0;         ///< 1-31
  std::uint32_t before_last = 0;  ///< as days of a month of 31: bit 31 the last, bit 30 the one
                                  ///< before
  std::uint32_t nearest = 0;      ///< the Monday to Friday nearest to the day n, in the same month
  bool last_working_day = false;  ///< the last Monday to Friday
  // The day-of-week field.
  std::uint8_t weekdays = 0;                   ///< every one of the month
  std::uint8_t last_weekdays = 0;              ///< the last one of the month
  std::array<std::uint8_t, 5> nth_weekdays{};  ///< the first, the second, ... of the month

  bool either = false;  ///< a day needs to match one of the two fields, otherwise both

  /// Returns the selected days of a month as a mask of the bits 1 to `length`. `first` is the
  /// weekday of the 1st.
  std::uint32_t days_in(unsigned length, unsigned first) const;
  std::uint32_t by_date(unsigned length, unsigned first) const;
  std::uint32_t by_weekday(unsigned length, unsigned first) const;

  /// Returns whether any year has a matching day in one of `months`.
  bool ever_matches(std::uint32_t months) const { return ever(months, &DayRule::days_in); }
  bool date_ever_matches(std::uint32_t months) const { return ever(months, &DayRule::by_date); }

 private:
  using Days = std::uint32_t (DayRule::*)(unsigned length, unsigned first) const;
  bool ever(std::uint32_t months, Days days) const;
};

}  // namespace metrics_refresh::core
