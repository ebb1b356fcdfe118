// The text of a schedule, or of a blackout window, as words with their places, before anybody asks
// what they mean. Refuses what no schedule can hold: bytes outside printable ASCII, and texts of
// unreasonable length. Allocates only for an error.
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

/// Longest text that is read at all, in characters.
inline constexpr std::size_t kMaxScheduleLength = 1000;

/// A stretch of the text without white space. It views the text that it was cut from.
struct Word {
  std::string_view text;
  std::size_t position;  ///< one-based, in the original text

  std::size_t end() const { return position + text.size(); }
};

/// The words of a text. Those beyond the sixteenth are left out: whatever has so many is refused
/// for one of these.
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

/// How errors speak of a text.
struct TextKind {
  std::string_view name;
  std::string_view alphabet;  ///< what it is written in
  std::string_view forms;     ///< the hint that shows what can be written
};

inline constexpr TextKind kScheduleText = {
    "schedule", "ASCII letters, digits, spaces and * , - / @ ? # $ ( ) : ;",
    "Write five fields (minute hour day-of-month month day-of-week), a nickname such as @daily, or "
    "an interval such as 15 minutes."};

/// Throws ScheduleError for an overlong text and for a character that is neither printable ASCII
/// nor white space.
void check_characters(std::string_view text, const TextKind& kind);

/// Cuts the characters [from, to) of `text` at white space. Throws nothing.
Words cut_words(std::string_view text, std::size_t from, std::size_t to);

/// Both of these over the whole text. Throws ScheduleError for an empty one too.
Words split_words(std::string_view text, const TextKind& kind);

/// The hint that shows all forms of a schedule.
inline std::string schedule_forms() { return std::string(kScheduleText.forms); }

}  // namespace metrics_refresh::core
