// One field of a cron expression: its permitted values, and the parser that reads it into a set of
// numbers, or of days whose numbers depend on the month. It knows nothing about other fields.
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
  unsigned last;           ///< the end of `*`; less than `high` if `high` is another name for `low`
  std::string_view names;  ///< three letters each, the first for `low`; or empty
  FieldForms forms;        ///< allowed in addition to numbers, names, lists, ranges and steps
  unsigned spread_last;    ///< the highest value of `H`, or 0 if `H` is not allowed
  unsigned number;         ///< for spread()
};

/// The fields in order, with the ranges of crontab(5).
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
  DayRule day;                 ///< days that `set` cannot express; `days`, `weekdays` unused
  bool is_restricted = true;   ///< begins neither with `*` nor with `?`
  bool is_question = false;    ///< is `?`
  bool has_wildcard = false;   ///< contains a `*`, or a step that has an effect
  bool has_idle_step = false;  ///< contains a step that is longer than its range
  bool has_spread = false;     ///< contains an `H`
};

/// Reads `item[,item...]`. An item is `*`, `a`, `a-b`, `H` or `H(a-b)`, each optionally with `/n`.
/// If the end of a range is before its start, it continues at the lowest value. `a/n` ends at the
/// highest value. If a step is longer than its range, only the first value is left. `H` is a number
/// that depends on the job's name. The day-of-month field also takes `L`, `$`, `L-n`, `LW` and
/// `nW`, and the day-of-week field takes `aL` and `a#k`. Both may be `?`. Throws ScheduleError for
/// any other text.
CronField parse_cron_field(const Word& word, const CronFieldRule& rule,
                           std::string_view job_name = {});

/// Returns the set of a day-of-week field in which Sunday is always 0.
std::uint32_t weekdays_of(const CronField& field);

}  // namespace metrics_refresh::core
