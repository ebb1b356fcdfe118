// A place in the text of one cron field, and every way to say what is wrong there. Gathers no
// values.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <string>
#include <string_view>

#include "core/schedule/cron_field.hpp"

namespace metrics_refresh::core {

// A number as it was written. Numbers too long for the type are as good as any out of range.
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
  /// Letter case does not matter; `c` is a small letter.
  bool skip_letter(char c) {
    const bool found = !at_end() && to_lower(word_.text[at_]) == c;
    if (found) ++at_;
    return found;
  }
  std::size_t position() const { return word_.position + at_; }
  /// No letter follows after the next `length` characters.
  bool is_word(std::size_t length) const { return !is_letter(peek(length)); }

  /// A name or a number that the field has.
  FieldValue read_value();
  FieldValue read_number();
  /// The n of `/n`, at most `longest`; 1 if there is none. `first` and `last` are for the message.
  unsigned read_step(unsigned first, unsigned last, unsigned longest);

  [[noreturn]] void fail(const std::string& message, std::size_t where,
                         const std::string& hint) const;
  [[noreturn]] void refuse_empty_item() const;
  [[noreturn]] void refuse_bare_last() const;
  [[noreturn]] void refuse_weekday_count(const FieldValue& count) const;
  [[noreturn]] void refuse_days_before_last(const FieldValue& days) const;
  [[noreturn]] void refuse_reversed_spread(const FieldValue& first, const FieldValue& last) const;
  /// What stands here is nothing that the field knows.
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
