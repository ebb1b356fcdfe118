#include "core/schedule/cron_field.hpp"

#include <algorithm>

#include "core/schedule/field_reader.hpp"
#include "core/schedule/spread.hpp"

// A recursive-descent parser for one field, with one function for each form. Numbers are collected
// in a bit mask. Days that depend on the month, such as L or fri#2, are collected in a DayRule and
// become numbers only when the month is known.
//
// Example:
//   parse_cron_field("1-5/2,9") in the hour field sets the bits 1, 3, 5 and 9

namespace metrics_refresh::core {
namespace {

class Parser {
 public:
  Parser(const Word& word, const CronFieldRule& rule, std::string_view job_name)
      : reader_(word, rule), rule_(rule), job_name_(job_name) {}

  CronField parse() {
    do read_item();
    while (reader_.skip(','));
    if (!reader_.at_end()) reader_.unexpected();
    return field_;
  }

 private:
  void read_item() {
    if (reader_.at_end() || reader_.peek() == ',') reader_.refuse_empty_item();
    if (reader_.skip('*')) {
      // Any wildcard or step means that the job follows the clock: see schedule.hpp.
      field_.has_wildcard = true;
      add_range(rule_.low, rule_.last, rule_.last - rule_.low);
      return;
    }
    if (read_special()) return;
    const FieldValue first = reader_.read_value();
    if (reader_.skip('-')) {
      add_range(first.number, reader_.read_value().number);
    } else if (reader_.peek() == '/') {
      // 7 is another name for Sunday, which is the first day of the field's range.
      const unsigned begin = first.number > rule_.last ? rule_.low : first.number;
      add_range(begin, rule_.last, rule_.last - begin);
    } else if (!read_suffix(first)) {
      field_.set |= std::uint64_t{1} << first.number;
    }
  }

  // Reads a form that begins with neither a number nor a name. Returns false if there is none.
  bool read_special() {
    switch (to_lower(reader_.peek())) {
      case 'h':
        return read_spread();
      case 'l':
        return read_last();
      case '$':
        if (rule_.forms != FieldForms::kDayOfMonth) reader_.unexpected();
        reader_.skip('$');
        field_.day.before_last |= kLastDay;
        return true;
      default:
        return false;
    }
  }

  bool read_spread() {
    // A name such as "hour" also begins with an h, so a letter must not follow.
    if (rule_.spread_last == 0 || !reader_.is_word(1)) return false;
    reader_.skip_letter('h');
    unsigned low = rule_.low;
    unsigned high = rule_.spread_last;
    if (reader_.skip('(')) {
      const FieldValue first = reader_.read_value();
      if (!reader_.skip('-')) reader_.unexpected();
      const FieldValue last = reader_.read_value();
      if (first.number > last.number) reader_.refuse_reversed_spread(first, last);
      if (!reader_.skip(')')) reader_.unexpected();
      low = first.number;
      high = last.number;
    }
    field_.has_spread = true;
    if (reader_.peek() == '/') {
      // With a step, only the first value is chosen by the job's name.
      const unsigned step = reader_.read_step(low, high, std::max(high - low, 1U));
      field_.has_wildcard = true;
      for (unsigned n = low + spread_value(step); n <= high; n += step) add(n);
    } else {
      add(low + spread_value(high - low + 1));
    }
    return true;
  }

  bool read_last() {
    if (rule_.forms == FieldForms::kNumbers) return false;
    // L alone has two meanings in day-of-week fields of other programs, so it is refused.
    if (rule_.forms == FieldForms::kDayOfWeek) {
      if (reader_.is_word(1)) reader_.refuse_bare_last();
      return false;
    }
    reader_.skip_letter('l');
    if (reader_.skip_letter('w')) {
      field_.day.last_working_day = true;
    } else if (reader_.skip('-')) {
      const FieldValue days = reader_.read_number();
      if (days.number < 1 || days.number > 30) reader_.refuse_days_before_last(days);
      field_.day.before_last |= kLastDay >> days.number;
    } else {
      field_.day.before_last |= kLastDay;
    }
    return true;
  }

  // Reads a suffix of a single day. Returns false if there is none.
  bool read_suffix(const FieldValue& day) {
    if (rule_.forms == FieldForms::kDayOfMonth && reader_.skip_letter('w')) {
      field_.day.nearest |= 1U << day.number;
      return true;
    }
    if (rule_.forms != FieldForms::kDayOfWeek) return false;
    const auto weekday = static_cast<std::uint8_t>(1U << day.number % 7);
    if (reader_.skip_letter('l')) {
      field_.day.last_weekdays |= weekday;
      return true;
    }
    if (!reader_.skip('#')) return false;
    const FieldValue count = reader_.read_number();
    if (count.number < 1 || count.number > 5) reader_.refuse_weekday_count(count);
    field_.day.nth_weekdays[count.number - 1] |= weekday;
    return true;
  }

  // If `last` is less than `first`, the range continues at the lowest value.
  void add_range(unsigned first, unsigned last) {
    add_range(first, last, last >= first ? last - first : last + size() - first);
  }

  // If the step is longer than the range, only the first value is left, as in other programs. A
  // step as long as the whole field is an error, because an interval was meant.
  void add_range(unsigned first, unsigned last, unsigned span) {
    const bool has_step = reader_.peek() == '/';
    const unsigned step = reader_.read_step(rule_.low, rule_.last, size() - 1);
    const bool is_idle = step > std::max(span, 1U);
    field_.has_idle_step |= is_idle;
    field_.has_wildcard |= has_step && !is_idle;
    // The usual case of adjacent values needs no loop.
    if (step == 1 && last >= first) {
      field_.set |= (std::uint64_t{2} << last) - (std::uint64_t{1} << first);
      return;
    }
    for (unsigned n = 0; n <= span; n += step) add(first + n);
  }

  void add(unsigned n) {
    if (n > rule_.high) n -= size();
    field_.set |= std::uint64_t{1} << n;
  }

  unsigned size() const { return rule_.last - rule_.low + 1; }
  unsigned spread_value(unsigned count) const { return spread(job_name_, rule_.number, count); }

  static constexpr std::uint32_t kLastDay = std::uint32_t{1} << 31;

  FieldReader reader_;
  const CronFieldRule& rule_;
  std::string_view job_name_;
  CronField field_;
};

}  // namespace

CronField parse_cron_field(const Word& word, const CronFieldRule& rule, std::string_view job_name) {
  if (word.text == "*" || (word.text == "?" && rule.forms != FieldForms::kNumbers)) {
    // A field that is only a wildcard matches all values but does not restrict the day.
    CronField field;
    field.set = (std::uint64_t{2} << rule.last) - (std::uint64_t{1} << rule.low);
    field.is_restricted = false;
    field.is_question = word.text == "?";
    field.has_wildcard = true;
    return field;
  }
  CronField field = Parser(word, rule, job_name).parse();
  // crontab(5) looks only at the first character of a day field: `*/2` does not restrict.
  field.is_restricted = word.text.front() != '*';
  return field;
}

std::uint32_t weekdays_of(const CronField& field) {
  constexpr std::uint64_t kSecondSunday = std::uint64_t{1} << 7;
  const bool has_it = (field.set & kSecondSunday) != 0;
  return static_cast<std::uint32_t>(has_it ? (field.set & ~kSecondSunday) | 1U : field.set);
}

}  // namespace metrics_refresh::core
