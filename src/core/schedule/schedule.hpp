// The due times of a job. A schedule has one or several rules. A rule is cron fields, a cron
// nickname, an interval, a pause after the previous run, or the start of the server. A Schedule is
// an immutable value. It contains no zone and no clock.
//
// Daylight saving time, for cron schedules and for intervals of days, weeks or months:
// - If the clock skips a fixed time in spring, it is due at the first moment after the gap.
// - If a fixed time occurs twice in autumn, it is due once, the first time.
// - If the second, minute or hour field has a wildcard or a step, each matching reading of the
//   clock is due. It is due twice if an hour repeats, and never inside a gap.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/instant.hpp"
#include "core/schedule/cron.hpp"
#include "core/schedule/interval.hpp"
#include "core/schedule/schedule_error.hpp"
#include "core/schedule/time_zone.hpp"

namespace metrics_refresh::core {

/// The meaning of a text depends on these values.
struct ScheduleContext {
  std::string_view job_name = {};                      ///< chooses the value of `H`
  std::optional<Instant> server_start = std::nullopt;  ///< the due time of `@reboot`
};

/// `@after`.
struct AfterFinish {
  Duration pause;
};

/// `@reboot`.
struct AtServerStart {
  std::optional<Instant> start;
};

class Schedule {
 public:
  using Rule = std::variant<CronExpression, Interval, AfterFinish, AtServerStart>;

  /// Reads one or more rules, separated by `;`. A rule is one of:
  ///  `minute hour day-of-month month day-of-week`, `@seconds` and six fields (cron.hpp),
  ///  `@hourly @daily @midnight @weekly @monthly @yearly @annually`,
  ///  an interval (interval_text.hpp), optionally after `@every`, which `1h30m` requires,
  ///  `@after` and an interval of fixed length,
  ///  `@reboot`.
  /// Letter case and surrounding white space do not matter. Throws ScheduleError for any other
  /// text, and for a schedule that is never due. Allocates nothing for a single rule.
  static Schedule parse(std::string_view text, const ScheduleContext& context = {});

  /// Returns the first due time strictly after `after` of any rule, or nothing if there is none
  /// before the year 10000. `last_end` is the end of the previous run, or the creation of the job.
  /// `@after` is due at whole multiples of its length after `last_end`. If `last_end` is
  /// Instant::max(), a run is in progress and `@after` is not due. `@reboot` is due only at the
  /// start of the server.
  std::optional<Instant> next_after(Instant after, const TimeZone& zone,
                                    std::optional<Instant> last_end = std::nullopt) const;

  /// Returns whether due times depend on the end of the previous run.
  bool counts_from_end() const;
  /// Returns whether a step is longer than its range, so that only the first value is left
  /// (`5-6/2`).
  bool has_idle_step() const;
  /// Returns the due time of `@reboot` if it is one of the rules and the start is known.
  std::optional<Instant> server_start() const;
  /// Returns whether `@reboot` is one of the rules.
  bool is_due_at_server_start() const;

  std::size_t size() const { return 1 + more_.size(); }
  const Rule& rule(std::size_t i) const { return i == 0 ? first_ : more_[i - 1]; }

 private:
  explicit Schedule(const Rule& first) : first_(first) {}

  Rule first_;
  std::vector<Rule> more_;
};

}  // namespace metrics_refresh::core
