// Splits the text of a schedule, or of a blackout window, into words with positions, before it is
// interpreted. Refuses characters outside printable ASCII, and texts that are too long. Allocates
// memory only for an error.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "core/text.hpp"

namespace metrics_refresh::core {

/// The maximum length of a text, in characters.
inline constexpr std::size_t kMaxScheduleLength = 1000;

/// A part of the text without white space. It refers to the text that it was cut from.
struct Word {
  std::string_view text;
  std::size_t position;  ///< one-based, in the original text

  std::size_t end() const { return position + text.size(); }
};

/// The words of a text. Only the first sixteen are stored: no valid text has more, and one of these
/// already leads to an error.
class Words {
 public:
  static constexpr std::size_t kMost = 16;

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const Word& operator[](std::size_t i) const { return words_[i]; }
  const Word& front() const { return words_[0]; }
  const Word& back() const { return words_[size_ - 1]; }
  void add(const Word& word) {
    if (size_ < kMost) words_[size_++] = word;
  }

 private:
  std::array<Word, kMost> words_;
  std::size_t size_ = 0;
};

/// The terms that error messages use for a text.
struct TextKind {
  std::string_view name;
  std::string_view alphabet;  ///< the permitted characters
  std::string_view forms;     ///< a hint that shows the permitted forms
};

inline constexpr TextKind kScheduleText = {
    "schedule", "ASCII letters, digits, spaces and * , - / @ ? # $ ( ) : ;",
    "Write five fields (minute hour day-of-month month day-of-week), a nickname such as @daily, or "
    "an interval such as 15 minutes."};

/// Throws ScheduleError if the text is too long, or contains a character that is neither printable
/// ASCII nor white space.
void check_characters(std::string_view text, const TextKind& kind);

/// Splits the characters [from, to) of `text` at white space. Never throws.
Words cut_words(std::string_view text, std::size_t from, std::size_t to);

/// Does both for the whole text. Also throws ScheduleError if the text is empty.
Words split_words(std::string_view text, const TextKind& kind);

/// Returns the hint that shows all forms of a schedule.
inline std::string schedule_forms() { return std::string(kScheduleText.forms); }

}  // namespace metrics_refresh::core
