#include "core/import/pg_cron_reader.hpp"

#include <algorithm>

#include "core/schedule/cron_field.hpp"
#include "core/schedule/schedule_text.hpp"

namespace metrics_refresh::core {
namespace {

// This follows the parser of pg_cron step by step, with its bugs, because a job must keep the due
// times that it had. The parser reads as far as it understands a field and skips the rest of the
// word. So it accepts many texts that are errors elsewhere. `version` selects the behavior of a
// release.
//
// Example: "1-5.9 * * * *" sets the minutes 1 to 5; the rest of the word is skipped

constexpr std::size_t kMaxLength = 999;  // the size of pg_cron's buffer without the final zero
constexpr std::array<std::string_view, 9> kNicknames = {"@reboot",   "@restart",  "@yearly",
                                                        "@annually", "@monthly",  "@weekly",
                                                        "@daily",    "@midnight", "@hourly"};

constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }
constexpr bool is_word_end(char c) { return is_blank(c) || c == '\n' || c == '\0'; }

constexpr std::uint64_t bits(unsigned from, unsigned to) {
  return to < from ? 0 : (~std::uint64_t{0} >> (63 - to)) & (~std::uint64_t{0} << from);
}

// Since version 1.6, a range without a step is set by whole bytes. If its end is in an earlier byte
// than its start, the rest of one byte and the first part of the other are set.
std::uint64_t reversed_range(unsigned first, unsigned last, unsigned low) {
  const unsigned begin = first - low;
  const unsigned end = last - low;
  if (begin / 8 == end / 8) return 0;
  return (bits(begin, begin / 8 * 8 + 7) | bits(end / 8 * 8, end)) << low;
}

class Reader {
 public:
  Reader(std::string_view text, PgCronVersion version) : text_(text), version_(version) {}

  std::optional<PgCronReading> read() {
    skip_comments();
    PgCronReading reading;
    if (peek() == '@') {
      const std::string_view word = take_word();
      if (std::find(kNicknames.begin(), kNicknames.end(), word) == kNicknames.end()) return {};
      reading.nickname = word;
      return reading;
    }
    for (std::size_t i = 0; i < reading.fields.size(); ++i)
      if (!read_field(kCronFields[i], reading.fields[i])) return {};
    return reading;
  }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool skip(char c) {
    const bool found = at_ < text_.size() && text_[at_] == c;
    if (found) ++at_;
    return found;
  }
  void skip_blanks() {
    while (is_blank(peek())) ++at_;
  }
  std::string_view take_word() {
    const std::size_t begin = at_;
    while (!is_word_end(peek())) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  // Like pg_cron, this also skips comments and empty lines in front of the fields.
  void skip_comments() {
    for (;;) {
      skip_blanks();
      if (peek() != '\n' && peek() != '#') return;
      while (at_ < text_.size() && peek() != '\n') ++at_;
      if (!skip('\n')) return;
    }
  }

  bool read_field(const CronFieldRule& rule, PgCronField& field) {
    const std::size_t begin = at_;
    field.has_star = peek() == '*';
    if (version_ >= PgCronVersion::k1_6 && rule.forms == FieldForms::kDayOfMonth && skip('$')) {
      if (!is_blank(peek())) return false;
      field.last_day = true;
    } else {
      do {
        if (!read_item(rule, field.set)) return false;
      } while (skip(','));
    }
    field.text = text_.substr(begin, at_ - begin);
    if (rule.last < rule.high && (field.set >> rule.high & 1U) != 0)
      field.set = (field.set & bits(rule.low, rule.last)) | 1U;  // Sunday has two numbers
    // The rest of the word has no effect in pg_cron.
    (void)take_word();
    skip_blanks();
    return true;
  }

  bool read_item(const CronFieldRule& rule, std::uint64_t& set) {
    unsigned first = rule.low;
    unsigned last = rule.high;
    if (!skip('*')) {
      if (!read_number(rule, first)) return false;
      if (!skip('-')) {
        // A step after a single number is refused, unlike in other cron programs.
        if (peek() == '/' || first < rule.low || first > rule.high) return false;
        set |= std::uint64_t{1} << first;
        return true;
      }
      if (!read_number(rule, last)) return false;
    }
    unsigned step = 1;
    if (skip('/') && (!read_digits(step) || step == 0)) return false;
    if (first < rule.low || first > rule.high || last < rule.low || last > rule.high) return false;
    // Version 1.6 refuses a step that is too large. In older ones it leaves the first value only.
    if (version_ >= PgCronVersion::k1_6 && step > rule.high) return false;
    if (first > last && step == 1 && version_ >= PgCronVersion::k1_6)
      set |= reversed_range(first, last, rule.low);
    for (unsigned n = first; n <= last; n += step) set |= std::uint64_t{1} << n;
    return true;
  }

  std::string_view take_alphanumerics() {
    const std::size_t begin = at_;
    while (is_digit(peek()) || is_letter(peek())) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  static bool to_number(std::string_view word, unsigned& number) {
    if (word.empty() || !std::all_of(word.begin(), word.end(), is_digit)) return false;
    number = 0;
    for (const char digit : word)
      // The limit prevents an overflow; a larger number is out of every range.
      number = std::min(number * 10 + static_cast<unsigned>(digit - '0'), 10'000U);
    return true;
  }

  bool read_digits(unsigned& number) { return to_number(take_alphanumerics(), number); }

  bool read_number(const CronFieldRule& rule, unsigned& number) {
    const std::string_view word = take_alphanumerics();
    for (std::size_t i = 0; word.size() == 3 && i < rule.names.size(); i += 3)
      if (equal_ignoring_case(word, rule.names.substr(i, 3))) {
        number = rule.low + static_cast<unsigned>(i / 3);
        return true;
      }
    return to_number(word, number);
  }

  std::string_view text_;
  PgCronVersion version_;
  std::size_t at_ = 0;
};

// Reads `n second` or `n seconds`, with white space at any place.
std::optional<unsigned> read_seconds(std::string_view text) {
  const Words words = cut_words(text, 0, text.size());
  if (words.empty() || words.size() > 2) return std::nullopt;
  const std::string_view first = words[0].text;
  const std::size_t digits = std::min(first.find_first_not_of("0123456789"), first.size());
  std::string unit(first.substr(digits));
  if (words.size() == 2) {
    if (!unit.empty()) return std::nullopt;
    unit = words[1].text;
  }
  if (digits == 0 || digits > 9) return std::nullopt;
  if (!equal_ignoring_case(unit, "second") && !equal_ignoring_case(unit, "seconds"))
    return std::nullopt;
  const int seconds = std::stoi(std::string(first.substr(0, digits)));
  // pg_cron accepts 1 to 59 seconds only.
  if (seconds < 1 || seconds > 59) return std::nullopt;
  return static_cast<unsigned>(seconds);
}

}  // namespace

std::optional<PgCronReading> read_as_pg_cron(std::string_view text, PgCronVersion version) {
  if (text.size() > kMaxLength) return std::nullopt;
  std::optional<PgCronReading> reading = Reader(text, version).read();
  if (reading || version < PgCronVersion::k1_5) return reading;
  const std::optional<unsigned> seconds = read_seconds(text);
  if (!seconds) return std::nullopt;
  reading.emplace();
  reading->seconds = *seconds;
  return reading;
}

}  // namespace metrics_refresh::core
