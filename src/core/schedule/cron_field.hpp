// One field of a cron expression: what it may hold, and its text read into a set of numbers, or of
// days that only a month makes into numbers. Knows nothing of the other fields.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <array>
#include <cstdint>
#include <string_view>

#include "core/schedule/day_rule.hpp"
#include "core/schedule/schedule_text.hpp"

namespace metrics_refresh::core {

enum class FieldForms : std::uint8_t { kNumbers, kDayOfMonth, kDayOfWeek };

struct CronFieldRule {
  std::string_view name;
  unsigned low;
  unsigned high;
  unsigned last;           ///< where `*` ends; less than `high` if `high` is another name for `low`
  std::string_view names;  ///< three letters each, the first stands for `low`; or empty
  FieldForms forms;        ///< beside numbers, names, lists, ranges and steps
  unsigned spread_last;    ///< where `H` ends; 0: there is no `H`
  unsigned number;         ///< for spread()
};

/// The fields in their order, with the ranges of crontab(5).
inline constexpr std::array<CronFieldRule, 5> kCronFields = {{
    {"minute", 0, 59, 59, {}, FieldForms::kNumbers, 59, 0},
    {"hour", 0, 23, 23, {}, FieldForms::kNumbers, 23, 1},
    {"day-of-month", 1, 31, 31, {}, FieldForms::kDayOfMonth, 28, 2},
    {"month", 1, 12, 12, "janfebmaraprmayjunjulaugsepoctnovdec", FieldForms::kNumbers, 12, 3},
    {"day-of-week", 0, 7, 6, "sunmontuewedthufrisat", FieldForms::kDayOfWeek, 6, 4},
}};
inline constexpr CronFieldRule kSecondField = {"second", 0, 59, 59, {}, FieldForms::kNumbers,
                                               59,       5};
/// The days of a blackout window.
inline constexpr CronFieldRule kBlackoutDays = {"day-of-week",        0, 7, 6, kCronFields[4].names,
                                                FieldForms::kNumbers, 0, 4};

struct CronField {
  std::uint64_t set = 0;       ///< bit n stands for the number n
  DayRule day;                 ///< of a day field: what `set` cannot say; `days`, `weekdays` unused
  bool is_restricted = true;   ///< begins neither with `*` nor with `?`
  bool is_question = false;    ///< is `?`
  bool has_wildcard = false;   ///< there is a `*` somewhere, or a step that is taken
  bool has_idle_step = false;  ///< there is a step that is longer than its range
  bool has_spread = false;     ///< there is an `H` somewhere
};

/// Reads `item[,item...]`. An item is `*`, `a`, `a-b` or `H` or `H(a-b)`, each also with `/n`. A
/// range whose end is before its begin goes on from the lowest value; `a/n` ends at the highest; a
/// step that is longer than its range leaves the first value;
/// `H` is a number that depends on the job's name. In day-of-month also `L`, `$`, `L-n`, `LW` and
/// `nW`, in day-of-week `aL` and `a#k`; each of them may be `?` instead. Throws ScheduleError for
/// anything else.
CronField parse_cron_field(const Word& word, const CronFieldRule& rule,
                           std::string_view job_name = {});

/// The set of a day-of-week field with Sunday under one number, 0.
std::uint32_t weekdays_of(const CronField& field);

}  // namespace metrics_refresh::core
