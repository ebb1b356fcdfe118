// The text of a schedule, or of a blackout window, as words with their places, before anybody asks
// what they mean. Refuses what no schedule can hold: bytes outside printable ASCII, and texts of
// unreasonable length.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace metrics_refresh::core {

/// Longest text that is read at all, in characters.
inline constexpr std::size_t kMaxScheduleLength = 1000;

/// A stretch of the text without white space. It views the text that it was cut from.
struct Word {
  std::string_view text;
  std::size_t position;  ///< one-based, in the original text
};

/// How errors speak of a text.
struct TextKind {
  std::string_view name;
  std::string_view alphabet;  ///< what it is written in
  std::string_view forms;     ///< the hint that shows what can be written
};

inline constexpr TextKind kScheduleText = {
    "schedule", "ASCII letters, digits, spaces and * , - / @",
    "Write five fields (minute hour day-of-month month day-of-week), a nickname such as @daily, or "
    "an interval such as 15 minutes."};

/// Cuts `text` at white space; none of the words is empty. Throws ScheduleError for an empty or
/// overlong text and for a byte that is neither printable ASCII nor white space.
std::vector<Word> split_words(std::string_view text, const TextKind& kind = kScheduleText);

/// The hint that shows all three forms of a schedule.
inline std::string schedule_forms() { return std::string(kScheduleText.forms); }

/// `text` in double quotes, cut short where it is long, for an error message.
std::string quoted(std::string_view text);

/// ASCII only, whatever the locale.
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
constexpr bool is_letter(char c) { return to_lower(c) >= 'a' && to_lower(c) <= 'z'; }
bool equal_ignoring_case(std::string_view a, std::string_view b);

}  // namespace metrics_refresh::core
