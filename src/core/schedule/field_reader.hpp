// The current position in the text of one cron field, and all errors for it. It does not collect
// values.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <string>
#include <string_view>

#include "core/schedule/cron_field.hpp"

namespace metrics_refresh::core {

// A number as it was written. If it is too large for the type, any value out of range represents
// it.
struct FieldValue {
  unsigned number;
  std::string_view text;
  std::size_t position;
};

class FieldReader {
 public:
  FieldReader(const Word& word, const CronFieldRule& rule) : word_(word), rule_(rule) {}

  bool at_end() const { return at_ == word_.text.size(); }
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < word_.text.size() ? word_.text[at_ + ahead] : '\0';
  }
  bool skip(char c) {
    const bool found = !at_end() && word_.text[at_] == c;
    if (found) ++at_;
    return found;
  }
  /// Ignores letter case. `c` is a lower-case letter.
  bool skip_letter(char c) {
    const bool found = !at_end() && to_lower(word_.text[at_]) == c;
    if (found) ++at_;
    return found;
  }
  std::size_t position() const { return word_.position + at_; }
  /// Returns whether the next `length` characters are not followed by a letter.
  bool is_word(std::size_t length) const { return !is_letter(peek(length)); }

  /// Reads a name or number, and checks that the field permits it.
  FieldValue read_value();
  FieldValue read_number();
  /// Reads `/n` and returns n, or 1 if there is no step. n is at most `longest`. `first` and `last`
  /// are only used for the message.
  unsigned read_step(unsigned first, unsigned last, unsigned longest);

  [[noreturn]] void fail(const std::string& message, std::size_t where,
                         const std::string& hint) const;
  [[noreturn]] void refuse_empty_item() const;
  [[noreturn]] void refuse_bare_last() const;
  [[noreturn]] void refuse_weekday_count(const FieldValue& count) const;
  [[noreturn]] void refuse_days_before_last(const FieldValue& days) const;
  [[noreturn]] void refuse_reversed_spread(const FieldValue& first, const FieldValue& last) const;
  /// Raises the error for a character that the field does not permit here.
  [[noreturn]] void unexpected();

 private:
  FieldValue read_name();
  void check_range(const FieldValue& value) const;
  [[noreturn]] void refuse_name(std::string_view text, std::size_t where) const;
  std::string field() const;
  std::string allowed() const;
  std::string hint_for(char found) const;

  template <typename Predicate>
  std::string_view take_while(Predicate wanted) {
    const std::size_t begin = at_;
    while (at_ < word_.text.size() && wanted(word_.text[at_])) ++at_;
    return word_.text.substr(begin, at_ - begin);
  }

  const Word& word_;
  const CronFieldRule& rule_;
  std::size_t at_ = 0;
};

}  // namespace metrics_refresh::core
