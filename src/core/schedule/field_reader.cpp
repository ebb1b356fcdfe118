#include "core/schedule/field_reader.hpp"

#include <algorithm>

#include "core/schedule/schedule_error.hpp"

namespace metrics_refresh::core {
namespace {

std::string range(unsigned first, unsigned last) {
  return std::to_string(first) + "-" + std::to_string(last);
}

}  // namespace

FieldValue FieldReader::read_value() {
  const FieldValue value = is_letter(peek()) ? read_name() : read_number();
  if (value.number < rule_.low || value.number > rule_.high) check_range(value);
  return value;
}

// In `friL`, only `fri` is the name.
FieldValue FieldReader::read_name() {
  const std::size_t where = position();
  std::string_view text = take_while(is_letter);
  if (rule_.names.empty()) {
    // The position must be that of the first letter.
    at_ -= text.size();
    unexpected();
  }
  if (rule_.forms == FieldForms::kDayOfWeek && text.size() == 4 && to_lower(text[3]) == 'l') {
    text.remove_suffix(1);
    --at_;
  }
  for (std::size_t i = 0; i * 3 < rule_.names.size(); ++i) {
    if (equal_ignoring_case(text, rule_.names.substr(i * 3, 3))) {
      return {rule_.low + static_cast<unsigned>(i), text, where};
    }
  }
  refuse_name(text, where);
}

FieldValue FieldReader::read_number() {
  const std::size_t where = position();
  const std::string_view text = take_while(is_digit);
  if (text.empty()) {
    if (!at_end() && peek() != ',') unexpected();
    fail("missing number in the " + field(), where, allowed());
  }
  // Larger numbers are all out of range, so the value need not be exact. This prevents an overflow.
  constexpr unsigned kTooLarge = 1000;
  unsigned number = 0;
  for (const char digit : text) {
    number = std::min(number * 10 + static_cast<unsigned>(digit - '0'), kTooLarge);
  }
  return {number, text, where};
}

unsigned FieldReader::read_step(unsigned first, unsigned last, unsigned longest) {
  if (!skip('/')) return 1;
  const FieldValue step = read_number();
  if (step.number < 1 || step.number > longest) {
    std::string hint =
        "A step over " + range(first, last) + " is from 1 to " + std::to_string(longest) + ".";
    // A user who writes */90 in the minute field expects 90 minutes, but cron would run every hour.
    if (step.number != 0) hint += " A longer one would leave nothing but the first value.";
    if (step.number > rule_.last && rule_.low == 0 && rule_.names.empty())
      hint +=
          " An interval is written " + shortened(step.text) + " " + std::string(rule_.name) + "s.";
    fail("step " + shortened(step.text) + " in the " + field() + " is out of range", step.position,
         hint);
  }
  return step.number;
}

void FieldReader::fail(const std::string& message, std::size_t where,
                       const std::string& hint) const {
  throw ScheduleError(message, where, hint);
}

void FieldReader::check_range(const FieldValue& value) const {
  std::string hint = allowed();
  if (rule_.name == "hour" && value.number == 24) hint += " Midnight is 0.";
  if (rule_.name != "hour" && rule_.last == 59 && value.number == 60) hint += " The full one is 0.";
  fail(std::string(rule_.name) + " " + shortened(value.text) + " is out of range", value.position,
       hint);
}

void FieldReader::refuse_empty_item() const {
  fail("empty list item in the " + field(), position(), allowed());
}

void FieldReader::refuse_bare_last() const {
  fail("L alone in the " + field() + " is not clear", position(),
       "Some take it for Saturday, some for the last day. Write sat for Saturdays, satL for the "
       "last "
       "Saturday of the month, or L in the day-of-month field for its last day.");
}

void FieldReader::refuse_weekday_count(const FieldValue& count) const {
  fail("week " + shortened(count.text) + " in the " + field() + " is out of range", count.position,
       "A weekday comes 1 to 5 times in a month: fri#1 is the first Friday, friL the last.");
}

void FieldReader::refuse_days_before_last(const FieldValue& days) const {
  fail("L-" + shortened(days.text) + " in the " + field() + " is out of range", days.position,
       "L is the last day of the month, L-1 the day before it, down to L-30.");
}

void FieldReader::refuse_reversed_spread(const FieldValue& first, const FieldValue& last) const {
  fail("range " + shortened(first.text) + "-" + shortened(last.text) + " of H in the " + field() +
           " is reversed",
       first.position,
       "Where H may be, a range does not wrap around; the lower value comes first.");
}

void FieldReader::refuse_name(std::string_view text, std::size_t where) const {
  std::string_view best;
  // Short names are similar to each other, so for them only one difference is accepted.
  unsigned least = text.size() > 3 ? 3 : 2;
  for (std::size_t i = 0; i < rule_.names.size(); i += 3) {
    const std::string_view name = rule_.names.substr(i, 3);
    const bool begins = equal_ignoring_case(text.substr(0, 3), name);
    const unsigned distance = begins ? 0 : edit_distance(text, name, 3);
    if (distance >= least) continue;
    least = distance;
    best = name;
  }
  const std::string hint =
      best.empty() ? allowed() : "Write " + std::string(best) + ". " + allowed();
  fail("unknown name " + quoted(text) + " in the " + field(), where, hint);
}

void FieldReader::unexpected() {
  const std::size_t where = position();
  if (at_end()) fail("the " + field() + " ends too early", where, allowed());
  const char found = peek();
  std::string_view text = take_while(is_letter);
  if (text.empty()) text = word_.text.substr(at_, 1);
  const std::string hint = text.size() > 2 ? "" : hint_for(found);  // a word means something else
  fail("unexpected " + quoted(text) + " in the " + field(), where,
       hint.empty() ? allowed() : hint + ' ' + allowed());
}

// Returns a hint if the text belongs in another field, or is written in another way here.
std::string FieldReader::hint_for(char found) const {
  if (rule_.spread_last == 0) return {};  // a blackout window has none of these
  const bool is_day = rule_.forms != FieldForms::kNumbers;
  switch (to_lower(found)) {
    case '?':
      return is_day ? "A ? stands alone; for every day write *." : "Only the day fields take ?.";
    case '~':
      return "For a value of the job's own write H or H(a-b).";
    case '#':
      return "The second Friday of the month is fri#2 in the day-of-week field.";
    case 'w':
      return "The Monday to Friday nearest to the 15th is 15W in the day-of-month field, the last "
             "one of the month LW.";
    case 'l':
    case '$':
      if (rule_.forms == FieldForms::kDayOfMonth)
        return "The last day of the month is L, the second last L-1; its last Friday is friL in "
               "the "
               "day-of-week field.";
      return "The last day of the month is L in the day-of-month field, its last Friday friL in "
             "the "
             "day-of-week field.";
    default:
      return {};
  }
}

std::string FieldReader::field() const { return std::string(rule_.name) + " field"; }

std::string FieldReader::allowed() const {
  std::string text = "The " + field() + " takes " + std::to_string(rule_.low) + " to " +
                     std::to_string(rule_.high);
  if (!rule_.names.empty()) {
    text += " or " + std::string(rule_.names.substr(0, 3)) + " to ";
    text += rule_.names.substr(rule_.names.size() - 3);
  }
  if (rule_.high > rule_.last) text += " (0 and 7 are Sunday)";
  text += ", as single values, lists (a,b), ranges (a-b) and steps (*/n, a-b/n), or *.";
  if (rule_.forms == FieldForms::kDayOfMonth) text += " Also L, L-n, LW, nW and ?.";
  if (rule_.forms == FieldForms::kDayOfWeek) text += " Also aL, a#k and ?.";
  return text;
}

}  // namespace metrics_refresh::core
