#include "core/schedule/interval_text.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "core/schedule/schedule_error.hpp"

namespace metrics_refresh::core {
namespace {

// The first word decides the format: a leading P is ISO 8601, a colon is a clock time, and
// everything else is numbers with units. add() sums up the parts, and refuses a unit that occurs
// twice. Months, weeks, days and seconds cannot be combined: they are aligned to different origins,
// so the due times of a sum would not be clear.
//
// Example: "1 hour 30 minutes", "01:30:00", "1h30m" and "PT1H30M" are all 5400 seconds.

using Kind = Interval::Unit;

constexpr std::size_t kKinds = 4;
constexpr std::array<std::string_view, kKinds> kKindNames = {"hours, minutes or seconds", "days",
                                                             "weeks", "months or years"};

struct Unit {
  std::array<std::string_view, 5> names;  // plural first; single letters only after a digit
  Kind kind;
  std::int64_t count;
};

constexpr std::array<Unit, 7> kUnits = {{
    {{"seconds", "second", "secs", "sec", "s"}, Kind::kSeconds, 1},
    {{"minutes", "minute", "mins", "min", "m"}, Kind::kSeconds, 60},
    {{"hours", "hour", "hrs", "hr", "h"}, Kind::kSeconds, 3600},
    {{"days", "day", "d", "d", "d"}, Kind::kDays, 1},
    {{"weeks", "week", "w", "w", "w"}, Kind::kWeeks, 1},
    {{"months", "month", "mons", "mon", "mon"}, Kind::kMonths, 1},
    {{"years", "year", "yrs", "yr", "yr"}, Kind::kMonths, 12},
}};

constexpr std::string_view kForms =
    "Write an interval as 90 seconds, 1 hour 30 minutes, 01:30:00, 1h30m or PT1H30M; days, weeks, "
    "months and years only alone.";

const Unit* find_unit(std::string_view text) {
  // The table is small, so a linear search is enough.
  for (const Unit& unit : kUnits)
    for (const std::string_view name : unit.names)
      if (equal_ignoring_case(name, text)) return &unit;
  return nullptr;
}

class IntervalReader {
 public:
  IntervalReader(const Words& words, std::size_t first)
      : words_(words), first_(first), word_(first) {}

  Interval read() {
    if (words_.size() <= first_) fail("the interval is missing", words_.back().end());
    const Word& word = words_[first_];
    if (to_lower(word.text.front()) == 'p')
      read_iso();
    else if (word.text.find(':') != std::string_view::npos)
      read_clock();
    else
      read_units();
    if (word_ < words_.size())
      fail("unexpected " + quoted(words_[word_].text) + " after the interval",
           words_[word_].position);
    return result();
  }

 private:
  void read_units() {
    while (word_ < words_.size()) {
      // A word without a number ends the interval; read() reports it.
      if (at_ == 0 && word_ > first_ && !is_digit(words_[word_].text.front())) return;
      const std::int64_t count = read_number();
      std::size_t where = position();
      if (rest().empty()) {
        if (++word_ == words_.size()) fail("the unit of the interval is missing", where);
        at_ = 0;
        where = position();
        add(count, word_unit(), where);
      } else {
        const std::string_view name = take_letters();
        const Unit* const unit = find_unit(name);
        if (unit == nullptr) refuse_unit(name, where);
        add(count, *unit, where);
      }
      if (!rest().empty()) continue;
      ++word_;
      at_ = 0;
    }
  }

  const Unit& word_unit() {
    const std::size_t where = position();
    const std::string_view name = take_letters();
    // "1 m" could be minutes or months, so single letters must follow the digit directly.
    const Unit* const unit = name.size() == 1 ? nullptr : find_unit(name);
    if (unit == nullptr || !rest().empty()) refuse_unit(words_[word_].text, where);
    return *unit;
  }

  void read_iso() {
    constexpr std::string_view kDateUnits = "ymwd";
    constexpr std::string_view kTimeUnits = "hms";
    // M means months before the T and minutes after it, so the tables differ.
    constexpr std::array<std::size_t, 4> kDate = {6, 5, 4, 3};  // in kUnits
    constexpr std::array<std::size_t, 3> kTime = {2, 1, 0};
    at_ = 1;
    bool time = false;
    std::size_t next = 0;
    do {
      if (!time && !rest().empty() && to_lower(rest().front()) == 't') {
        time = true;
        next = 0;
        ++at_;
      }
      const std::int64_t count = read_number();
      const std::string_view units = time ? kTimeUnits : kDateUnits;
      const std::size_t found =
          rest().empty() ? std::string_view::npos : units.find(to_lower(rest().front()), next);
      if (found == std::string_view::npos)
        fail(quoted(words_[word_].text) + " is not an ISO 8601 duration", position());
      add(count, kUnits[time ? kTime[found] : kDate[found]], position());
      next = found + 1;
      ++at_;
    } while (!rest().empty());
    ++word_;
  }

  // Reads hours:minutes or hours:minutes:seconds.
  void read_clock() {
    std::int64_t length = 0;
    int parts = 0;
    do {
      if (parts > 0) ++at_;
      const std::size_t where = position();
      const std::int64_t number = read_number();
      if (parts > 0 && number > 59)
        fail(std::string(parts == 1 ? "minutes" : "seconds") + " of an interval go up to 59",
             where);
      length = length * 60 + number;
      ++parts;
    } while (parts < 3 && !rest().empty() && rest().front() == ':');
    if (parts < 2 || !rest().empty())
      fail(quoted(words_[word_].text) + " is not an interval", position());
    if (parts == 2) length *= 60;
    add(length, kUnits[0], words_[word_].position);
    ++word_;
  }

  std::int64_t read_number() {
    // A larger number is out of range for every unit. The limit prevents an overflow of the sum.
    constexpr std::int64_t kTooLarge = 1'000'000'000;
    const std::string_view text = rest();
    std::size_t length = 0;
    std::int64_t number = 0;
    for (; length < text.size() && is_digit(text[length]); ++length)
      number = std::min(number * 10 + (text[length] - '0'), kTooLarge);
    const bool fraction = length < text.size() && (text[length] == '.' || text[length] == ',');
    if (length == 0 && at_ > 0)
      fail("a number is missing in " + quoted(words_[word_].text), position());
    if (length == 0 || fraction)
      fail(quoted(words_[word_].text) + " is not a whole number", position() + length);
    at_ += length;
    return number;
  }

  void add(std::int64_t count, const Unit& unit, std::size_t where) {
    if (used_ != 0 && unit.kind != kind_) {
      fail("the interval mixes " + std::string(kKindNames[static_cast<std::size_t>(kind_)]) +
               " with " + std::string(kKindNames[static_cast<std::size_t>(unit.kind)]),
           where,
           "An interval is made of months and years, of weeks, of days, or of hours, minutes and "
           "seconds. For a time of day on every second day write 30 2 */2 * *; for 25 hours, 25 "
           "hours.");
    }
    const unsigned bit = 1U << (&unit - kUnits.data());
    if ((used_ & bit) != 0)
      fail("the interval has " + std::string(unit.names[0]) + " twice", where);
    used_ |= bit;
    kind_ = unit.kind;
    total_ += count * unit.count;
  }

  Interval result() const {
    const std::int64_t most = Interval::most(kind_);
    if (total_ < 1 || total_ > most) {
      const char* const begin = words_[first_].text.data();
      const Word& last = words_.back();
      const auto length = static_cast<std::size_t>(last.text.data() - begin) + last.text.size();
      constexpr std::array<std::string_view, kKinds> kCounted = {"seconds", "days", "weeks",
                                                                 "months"};
      throw ScheduleError("interval of " + quoted({begin, length}) + " is out of range",
                          words_[first_].position,
                          "An interval is from 1 to " + std::to_string(most) + " " +
                              std::string(kCounted[static_cast<std::size_t>(kind_)]) + ".");
    }
    return {kind_, total_};
  }

  [[noreturn]] void refuse_unit(std::string_view name, std::size_t where) const {
    std::string_view best;
    unsigned least = 3;
    for (const Unit& unit : kUnits) {
      const unsigned distance = edit_distance(name, unit.names[0], 3);
      if (distance < least) best = unit.names[0];
      least = std::min(least, distance);
    }
    std::string hint = "The units are seconds, minutes, hours, days, weeks, months and years.";
    if (name.size() > 2 && !best.empty()) hint = "Write " + std::string(best) + ". " + hint;
    throw ScheduleError("unknown interval unit " + quoted(name), where, hint);
  }

  [[noreturn]] static void fail(const std::string& message, std::size_t where,
                                std::string_view hint = kForms) {
    throw ScheduleError(message, where, std::string(hint));
  }

  std::string_view rest() const { return words_[word_].text.substr(at_); }
  std::size_t position() const { return words_[word_].position + at_; }
  std::string_view take_letters() {
    const std::string_view text = rest();
    const auto end = std::find_if_not(text.begin(), text.end(), is_letter);
    const auto length = static_cast<std::size_t>(end - text.begin());
    at_ += length;
    return text.substr(0, length);
  }

  const Words& words_;
  std::size_t first_;
  std::size_t word_;
  std::size_t at_ = 0;  // within the word
  unsigned used_ = 0;   // bit n: kUnits[n]
  Kind kind_ = Kind::kSeconds;
  std::int64_t total_ = 0;
};

}  // namespace

bool is_interval(const Words& words) {
  const std::string_view first = words.front().text;
  // A cron expression never begins with a P and a digit or T.
  if (to_lower(first.front()) == 'p' && first.size() > 1)
    return is_digit(first[1]) || to_lower(first[1]) == 't';
  if (is_digit(first.front()) && first.find(':') != std::string_view::npos) return true;
  if (words.size() < 2 || !is_letter(words[1].text.front())) return false;
  const std::string_view second = words[1].text;
  // "5 h" could be the hour field of a cron expression with too few fields, in which H is a spread.
  const bool is_spread =
      to_lower(second[0]) == 'h' && (second.size() == 1 || !is_letter(second[1]));
  if (words.size() == 2) return !is_spread;
  // "5 mon ..." could be fields with the month or weekday at the wrong place.
  return second.size() > 1 && !equal_ignoring_case(second, "mon") && find_unit(second) != nullptr;
}

Interval parse_interval(const Words& words, std::size_t first) {
  return IntervalReader(words, first).read();
}

}  // namespace metrics_refresh::core
