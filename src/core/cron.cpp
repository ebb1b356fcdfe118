#include "core/cron.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "core/clock_reading.hpp"
#include "core/cron_field.hpp"
#include "core/local_time.hpp"
#include "core/schedule_error.hpp"
#include "core/schedule_text.hpp"

namespace metrics_refresh::core {
namespace {

using std::chrono::minutes;

// Instants outside of these have no local date in the calendar, whatever the offset. Within them no
// sum overflows.
constexpr Instant kEarliest{kCalendarBegin.time_since_epoch() - kWidestOffset};
constexpr Instant kLatest{kCalendarEnd.time_since_epoch() + kWidestOffset};

MinutePattern pattern_of(const std::array<CronField, 5>& fields) {
  const auto& [minute, hour, day, month, weekday] = fields;
  return {minute.set,
          static_cast<std::uint32_t>(hour.set),
          static_cast<std::uint32_t>(day.set),
          static_cast<std::uint32_t>(month.set),
          weekdays_of(weekday),
          !day.starts_at_star && !weekday.starts_at_star};
}

// The lowest local minute whose first moment may come after `after`: fixed times up to the latest
// reading that the clock has ever shown are past, even where it shows an earlier one again.
LocalMinute first_open_minute(Instant after, TimeZone::Period period, const TimeZone& zone) {
  auto open = std::chrono::floor<minutes>(to_local(after, period.offset)) + minutes{1};
  while (period.begin > after - 2 * kWidestOffset) {
    const Instant end = period.begin;
    period = zone.period_at(end - Duration{1});
    open = std::max(open, std::chrono::ceil<minutes>(to_local(end, period.offset)));
  }
  return open;
}

}  // namespace

CronExpression CronExpression::parse(std::string_view text) {
  const std::vector<Word> words = split_words(text);
  std::array<CronField, kCronFields.size()> fields{};
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (i == words.size()) {
      const Word& last = words.back();
      throw ScheduleError("the " + std::string(kCronFields[i].name) + " field is missing",
                          last.position + last.text.size(), schedule_forms());
    }
    fields[i] = parse_cron_field(words[i], kCronFields[i]);
  }
  if (words.size() > fields.size()) {
    const Word& extra = words[fields.size()];
    throw ScheduleError("unexpected " + quoted(extra.text) + " after the day-of-week field",
                        extra.position,
                        "Cron has five fields, minute hour day-of-month month day-of-week, and "
                        "none for seconds; for those write an interval such as 30 seconds.");
  }

  const MinutePattern pattern = pattern_of(fields);
  if (!pattern.ever_matches()) {
    throw ScheduleError("the day-of-month field names no day that the months given have",
                        words[2].position,
                        "April, June, September and November have 30 days, February has 29 at "
                        "most.");
  }
  return {pattern, fields[0].has_wildcard || fields[1].has_wildcard};
}

std::optional<Instant> CronExpression::next_after(Instant after, const TimeZone& zone) const {
  if (after >= kLatest) return std::nullopt;
  after = std::max(after, kEarliest);
  return follows_clock_ ? next_reading(after, zone) : next_fixed_time(after, zone);
}

std::optional<Instant> CronExpression::next_reading(Instant after, const TimeZone& zone) const {
  auto period = zone.period_at(after);
  Instant start = after;
  auto from = std::chrono::floor<minutes>(to_local(start, period.offset)) + minutes{1};
  while (true) {
    const auto match = pattern_.first_from(from);
    if (match && to_instant(*match, period.offset) < period.end) {
      return to_instant(*match, period.offset);
    }
    if (period.end >= kLatest) return std::nullopt;

    // Once the clock cannot be set back to before `from`, no reading before `match` is of interest:
    // a leap day that is years away costs no walk through every period until then.
    Instant next = period.end;
    if (match && next - start >= 2 * kWidestOffset) {
      next = std::max(next, to_instant(*match, kWidestOffset));
    }
    period = zone.period_at(next);
    start = period.begin;
    from = std::chrono::ceil<minutes>(to_local(start, period.offset));
  }
}

std::optional<Instant> CronExpression::next_fixed_time(Instant after, const TimeZone& zone) const {
  const LocalMinute open = first_open_minute(after, zone.period_at(after), zone);
  const auto match = pattern_.first_from(open);
  if (!match) return std::nullopt;
  return first_moment_of(*match, zone);
}

}  // namespace metrics_refresh::core
