#include "core/schedule/schedule_text.hpp"

#include <algorithm>

#include "core/schedule/schedule_error.hpp"
#include "core/schedule/unexpected_character.hpp"

namespace metrics_refresh::core {

void check_characters(std::string_view text, const TextKind& kind) {
  const auto strange = std::find_if(text.begin(), text.end(), [](char c) {
    return !is_space(c) && (c < ' ' || c > '~');  // a negative char is a byte above 0x7F
  });
  if (strange != text.end())
    refuse_unexpected_character(text, static_cast<std::size_t>(strange - text.begin()), kind);
  if (text.size() > kMaxScheduleLength) {
    // This is checked after the characters, so that the length in bytes is also that in characters.
    const std::string name(kind.name);
    throw ScheduleError(
        name + " is " + std::to_string(text.size()) + " characters long", kMaxScheduleLength + 1,
        "A " + name + " has at most " + std::to_string(kMaxScheduleLength) + " characters.");
  }
}

Words cut_words(std::string_view text, std::size_t from, std::size_t to) {
  Words words;
  while (true) {
    while (from < to && is_space(text[from])) ++from;
    if (from == to) return words;
    std::size_t end = from;
    while (end < to && !is_space(text[end])) ++end;
    words.add({text.substr(from, end - from), from + 1});
    from = end;
  }
}

Words split_words(std::string_view text, const TextKind& kind) {
  check_characters(text, kind);
  const Words words = cut_words(text, 0, text.size());
  if (words.empty())
    throw ScheduleError(std::string(kind.name) + " is empty", 1, std::string(kind.forms));
  return words;
}

}  // namespace metrics_refresh::core
