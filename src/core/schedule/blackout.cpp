#include "core/schedule/blackout.hpp"

#include <algorithm>
#include <string>

#include "core/schedule/clock_reading.hpp"
#include "core/schedule/cron_field.hpp"
#include "core/schedule/local_time.hpp"
#include "core/schedule/schedule_text.hpp"

namespace metrics_refresh::core {
namespace {

using std::chrono::minutes;

// A window is stored as a set of weekdays, a start on the wall clock and a length. end_of()
// computes the start and the end in real time for each day near `t`, because both depend on the
// zone. Windows of neighboring days can overlap, so the latest end counts.

constexpr minutes kDay{24 * 60};

constexpr TextKind kBlackoutText = {
    "blackout window", "ASCII letters, digits, spaces and * , - / :",
    "Write [days] HH:MM-HH:MM, such as 08:00-18:00 or mon-fri 22:00-06:00."};

// The range of days whose windows can contain an instant. One day is for windows that reach into
// the next day. Another one is for a zone that crosses the date line, and skips or repeats a day.
constexpr int kDaysBefore = 3;
constexpr int kDaysAfter = 2;

// Outside these limits, the days of a window are not in the calendar.
constexpr Instant kEarliest{kCalendarBegin.time_since_epoch() + kWidestOffset +
                            kDay * (kDaysBefore + 1)};
constexpr Instant kLatest{kCalendarEnd.time_since_epoch() - kWidestOffset -
                          kDay * (kDaysAfter + 2)};

minutes read_time(const Word& word, std::size_t at) {
  const auto two_digits = [&](std::size_t i) {
    return (word.text[i] - '0') * 10 + (word.text[i + 1] - '0');
  };
  const int hour = two_digits(at);
  const int minute = two_digits(at + 3);
  const minutes time{hour * 60 + minute};
  if (minute > 59 || time > kDay) {
    throw ScheduleError("time " + std::string(word.text.substr(at, 5)) + " is out of range",
                        word.position + at, "A time of day is from 00:00 to 24:00.");
  }
  return time;
}

// The position of the first difference tells the user where to look.
void check_shape(const Word& word) {
  constexpr std::string_view kShape = "dd:dd-dd:dd";
  std::size_t same = 0;
  while (same < std::min(kShape.size(), word.text.size()) &&
         (kShape[same] == 'd' ? is_digit(word.text[same]) : word.text[same] == kShape[same]))
    ++same;
  if (same < kShape.size() || word.text.size() > kShape.size()) {
    throw ScheduleError(quoted(word.text) + " is not a window of the day", word.position + same,
                        std::string(kBlackoutText.forms));
  }
}

}  // namespace

Blackout Blackout::parse(std::string_view text) {
  constexpr std::uint32_t kEveryDay = 0x7F;
  const Words words = split_words(text, kBlackoutText);
  // A weekday never contains a colon, and a window always does.
  const bool has_days = words.front().text.find(':') == std::string_view::npos;
  const auto days =
      has_days ? weekdays_of(parse_cron_field(words.front(), kBlackoutDays)) : kEveryDay;
  const std::size_t at = has_days ? 1 : 0;
  if (words.size() == at) {
    const Word& last = words.back();
    throw ScheduleError("the times of day are missing", last.position + last.text.size(),
                        std::string(kBlackoutText.forms));
  }
  const Word& window = words[at];
  check_shape(window);
  if (words.size() > at + 1) {
    throw ScheduleError("unexpected " + quoted(words[at + 1].text) + " after the times of day",
                        words[at + 1].position, std::string(kBlackoutText.forms));
  }
  const minutes begin = read_time(window, 0);
  // 24:00 is the end of a day. As a start, it would belong to a day that the user did not name.
  const minutes end = read_time(window, 6);
  if (begin == kDay) {
    throw ScheduleError("a window cannot begin at 24:00", window.position,
                        "Write 00:00 of the next day.");
  }
  // An end that is not after the start belongs to the next day.
  return {static_cast<std::uint8_t>(days), begin, end > begin ? end - begin : end + kDay - begin};
}

std::optional<Instant> Blackout::end_of(Instant t, const TimeZone& zone) const {
  if (t < kEarliest || t >= kLatest) return std::nullopt;
  const auto today = std::chrono::floor<Days>(to_local(t, zone.period_at(t).offset));
  std::optional<Instant> latest;
  for (int shift = -kDaysBefore; shift <= kDaysAfter; ++shift) {
    const LocalDay day = today + Days{shift};
    if ((days_ >> weekday_of(day) & 1U) == 0) continue;
    const LocalSecond begin = day + begin_;
    const Instant end = last_arrival_at(begin + length_, zone);
    // The window starts when the clock reaches or skips its start, and ends when the clock is past
    // its end for the last time. So an hour that repeats in autumn is in the window both times.
    if (end <= t || first_moment_of(begin, zone) > t) continue;
    latest = std::max(latest.value_or(end), end);
  }
  return latest;
}

}  // namespace metrics_refresh::core
