#include "core/cron_field.hpp"

#include <algorithm>
#include <string>

#include "core/schedule_error.hpp"

namespace metrics_refresh::core {
namespace {

// A number as it was written. Numbers too long for the type are as good as any out of range.
struct Value {
  unsigned number;
  std::string_view text;
  std::size_t position;
  bool is_name() const { return !is_digit(text.front()); }
};

class FieldReader {
 public:
  FieldReader(const Word& word, const CronFieldRule& rule) : word_(word), rule_(rule) {}

  std::uint64_t read_list() {
    std::uint64_t set = read_item();
    while (skip(',')) set |= read_item();
    if (at_ < word_.text.size()) unexpected();
    return set;
  }

 private:
  std::uint64_t read_item() {
    if (at_ == word_.text.size() || peek() == ',') {
      fail("empty list item in the " + field(), position(), allowed());
    }
    if (skip('*')) return numbers(rule_.low, rule_.last, read_step(rule_.low, rule_.last));

    const Value first = read_value();
    if (!skip('-')) {
      if (peek() == '/') refuse_step_after(first);
      return numbers(first.number, first.number, 1);
    }
    Value last = read_value();
    if (rule_.high > rule_.last && last.is_name() && last.number < first.number &&
        last.number == rule_.low) {
      last.number = rule_.high;  // fri-sun
    }
    if (last.number < first.number) refuse_reversed(first, last);
    return numbers(first.number, last.number, read_step(first.number, last.number));
  }

  // The n of `/n` over a range, or 1 where there is none.
  unsigned read_step(unsigned first, unsigned last) {
    if (!skip('/')) return 1;
    const Value step = read_number();
    const unsigned longest = std::max(last - first, 1U);
    if (step.number < 1 || step.number > longest) {
      fail("step " + shown(step) + " in the " + field() + " is out of range", step.position,
           "A step over " + range(first, last) + " is from 1 to " + std::to_string(longest) + ".");
    }
    return step.number;
  }

  Value read_value() {
    const Value value = is_letter(peek()) ? read_name() : read_number();
    if (value.number < rule_.low || value.number > rule_.high) {
      fail(std::string(rule_.name) + " " + shown(value) + " is out of range", value.position,
           allowed());
    }
    return value;
  }

  Value read_name() {
    const std::size_t where = position();
    const std::string_view text = take_while(is_letter);
    if (rule_.names.empty()) {
      fail("unexpected " + quoted(text) + " in the " + field(), where, allowed());
    }
    for (std::size_t i = 0; i * 3 < rule_.names.size(); ++i) {
      if (equal_ignoring_case(text, rule_.names.substr(i * 3, 3))) {
        return {rule_.low + static_cast<unsigned>(i), text, where};
      }
    }
    fail("unknown name " + quoted(text) + " in the " + field(), where, allowed());
  }

  Value read_number() {
    const std::size_t where = position();
    const std::string_view text = take_while(is_digit);
    if (text.empty()) {
      if (at_ < word_.text.size() && peek() != ',') unexpected();
      fail("missing number in the " + field(), where, allowed());
    }
    constexpr unsigned kTooLarge = 1000;
    unsigned number = 0;
    for (const char digit : text) {
      number = std::min(number * 10 + static_cast<unsigned>(digit - '0'), kTooLarge);
    }
    return {number, text, where};
  }

  [[noreturn]] void refuse_reversed(const Value& first, const Value& last) const {
    fail("range " + shown(first) + "-" + shown(last) + " in the " + field() + " is reversed",
         first.position,
         "A range does not wrap around; write it as a list: " + range(first.number, rule_.last) +
             "," + range(rule_.low, last.number) + ".");
  }

  // Dialects disagree whether `5/10` is `5-59/10` or just 5.
  [[noreturn]] void refuse_step_after(const Value& value) {
    const std::size_t where = position();
    skip('/');
    const std::string step(read_number().text.substr(0, 4));
    fail("step after the single value " + shown(value) + " in the " + field(), where,
         "Write " + range(value.number, rule_.last) + "/" + step +
             " for a step from there on, or " + "*/" + step + " for one over all values.");
  }

  [[noreturn]] void unexpected() {
    const std::size_t where = position();
    std::string_view text = take_while(is_letter);
    if (text.empty()) text = word_.text.substr(at_, 1);
    fail("unexpected " + quoted(text) + " in the " + field(), where, allowed());
  }

  [[noreturn]] void fail(const std::string& message, std::size_t where,
                         const std::string& hint) const {
    throw ScheduleError(message, where, hint);
  }

  std::string field() const { return std::string(rule_.name) + " field"; }

  std::string allowed() const {
    std::string text = "The " + field() + " takes " + std::to_string(rule_.low) + " to " +
                       std::to_string(rule_.high);
    if (!rule_.names.empty()) {
      text += " or " + std::string(rule_.names.substr(0, 3)) + " to ";
      text += rule_.names.substr(rule_.names.size() - 3);
    }
    if (rule_.high > rule_.last) text += " (0 and 7 are Sunday)";
    return text + ", as single values, lists (a,b), ranges (a-b) and steps (*/n, a-b/n), or *.";
  }

  static std::string range(unsigned first, unsigned last) {
    return std::to_string(first) + "-" + std::to_string(last);
  }

  static std::string shown(const Value& value) {
    constexpr std::size_t kLongest = 24;
    std::string text(value.text.substr(0, kLongest));
    return value.text.size() > kLongest ? text + "..." : text;
  }

  static std::uint64_t numbers(unsigned first, unsigned last, unsigned step) {
    std::uint64_t set = 0;
    for (unsigned n = first; n <= last; n += step) set |= std::uint64_t{1} << n;
    return set;
  }

  template <typename Predicate>
  std::string_view take_while(Predicate wanted) {
    const std::size_t begin = at_;
    while (at_ < word_.text.size() && wanted(word_.text[at_])) ++at_;
    return word_.text.substr(begin, at_ - begin);
  }

  char peek() const { return at_ < word_.text.size() ? word_.text[at_] : '\0'; }
  bool skip(char c) {
    const bool found = peek() == c;
    if (found) ++at_;
    return found;
  }
  std::size_t position() const { return word_.position + at_; }

  const Word& word_;
  const CronFieldRule& rule_;
  std::size_t at_ = 0;
};

}  // namespace

CronField parse_cron_field(const Word& word, const CronFieldRule& rule) {
  const std::uint64_t set = FieldReader(word, rule).read_list();
  return {set, word.text.front() == '*', word.text.find_first_of("*/") != std::string_view::npos};
}

std::uint32_t weekdays_of(const CronField& field) {
  constexpr std::uint64_t kSecondSunday = std::uint64_t{1} << 7;
  const bool has_it = (field.set & kSecondSunday) != 0;
  return static_cast<std::uint32_t>(has_it ? (field.set & ~kSecondSunday) | 1U : field.set);
}

}  // namespace metrics_refresh::core
