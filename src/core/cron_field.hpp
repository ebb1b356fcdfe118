// One field of a cron expression: what it may hold, and its text read into a set of numbers. Knows
// nothing of the other four, nor of what the numbers mean in a calendar.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <array>
#include <cstdint>
#include <string_view>

#include "core/schedule_text.hpp"

namespace metrics_refresh::core {

struct CronFieldRule {
  std::string_view name;
  unsigned low;
  unsigned high;
  unsigned last;           ///< where `*` ends; less than `high` if `high` is another name for `low`
  std::string_view names;  ///< three letters each, the first stands for `low`; or empty
};

/// The fields in their order, with the ranges of crontab(5).
inline constexpr std::array<CronFieldRule, 5> kCronFields = {{
    {"minute", 0, 59, 59, {}},
    {"hour", 0, 23, 23, {}},
    {"day-of-month", 1, 31, 31, {}},
    {"month", 1, 12, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
    {"day-of-week", 0, 7, 6, "sunmontuewedthufrisat"},
}};

struct CronField {
  std::uint64_t set;    ///< bit n stands for the number n; never empty
  bool starts_at_star;  ///< the text begins with `*`: crontab(5) calls the field unrestricted
  bool has_wildcard;    ///< there is a `*` or a step somewhere
};

/// Reads `item[,item...]`, an item being `*`, `*/n`, `a`, `a-b` or `a-b/n`. A range may end in the
/// name `sun`, which is then the 7th day. Throws ScheduleError for anything else.
CronField parse_cron_field(const Word& word, const CronFieldRule& rule);

/// The set of a day-of-week field with Sunday under one number, 0.
std::uint32_t weekdays_of(const CronField& field);

}  // namespace metrics_refresh::core
