// When a job is due: one schedule or several, each of them cron fields, a cron nickname, an
// interval, a time after the end of the previous run, or the server's start. A Schedule is an
// immutable value; it holds no zone and no clock.
//
// Daylight saving time, for cron schedules and for intervals of days, weeks or months:
//  - a fixed time that the spring gap swallows is due at the first moment after the gap;
//  - a fixed time that occurs twice in autumn is due once, the first time;
//  - a schedule with a wildcard or a step in its second, minute or hour field is due at every
//    matching wall-clock reading as real time passes: twice where an hour repeats, never inside a
//    gap.
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

/// What a text means depends on this.
struct ScheduleContext {
  std::string_view job_name = {};                      ///< chooses what `H` stands for
  std::optional<Instant> server_start = std::nullopt;  ///< when `@reboot` is due
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

  /// Reads one or more, with `;` between them, of
  ///   `minute hour day-of-month month day-of-week`, `@seconds` and six fields (cron.hpp),
  ///   `@hourly @daily @midnight @weekly @monthly @yearly @annually`,
  ///   an interval (interval_text.hpp), which `@every` may precede and `1h30m` must have,
  ///   `@after` and an interval of fixed length,
  ///   `@reboot`.
  /// Letter case and surrounding white space do not matter. Throws ScheduleError for anything else,
  /// and for what would never be due. Allocates nothing for a single schedule.
  static Schedule parse(std::string_view text, const ScheduleContext& context = {});

  /// The first due time strictly after `after` of any of them, or nothing where none comes by the
  /// end of the year 9999. `last_end` is when the previous run ended, or the job was made: `@after`
  /// is due at whole multiples of its length since then; at Instant::max() the run is under way,
  /// and
  /// `@after` not due at all. `@reboot` is due at the server's start and never else.
  std::optional<Instant> next_after(Instant after, const TimeZone& zone,
                                    std::optional<Instant> last_end = std::nullopt) const;

  /// Whether due times depend on the end of the previous run.
  bool counts_from_end() const;
  /// Whether a step is longer than its range, so that it leaves the first value alone (`5-6/2`).
  bool has_idle_step() const;
  /// The due time of `@reboot`, where it is one of them and the start is known.
  std::optional<Instant> server_start() const;
  /// Whether `@reboot` is one of them.
  bool is_due_at_server_start() const;

  std::size_t size() const { return 1 + more_.size(); }
  const Rule& rule(std::size_t i) const { return i == 0 ? first_ : more_[i - 1]; }

 private:
  explicit Schedule(const Rule& first) : first_(first) {}

  Rule first_;
  std::vector<Rule> more_;
};

}  // namespace metrics_refresh::core
