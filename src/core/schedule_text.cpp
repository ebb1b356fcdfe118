#include "core/schedule_text.hpp"

#include <algorithm>

#include "core/schedule_error.hpp"

namespace metrics_refresh::core {
namespace {

constexpr bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::string hexadecimal(char c) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  const auto byte = static_cast<unsigned char>(c);
  return {'0', 'x', kDigits[byte / 16U], kDigits[byte % 16U]};
}

void check_characters(std::string_view text, const TextKind& kind) {
  const std::string name(kind.name);
  if (text.size() > kMaxScheduleLength) {
    throw ScheduleError(
        name + " is " + std::to_string(text.size()) + " characters long", kMaxScheduleLength + 1,
        "A " + name + " has at most " + std::to_string(kMaxScheduleLength) + " characters.");
  }
  const auto strange = std::find_if(text.begin(), text.end(), [](char c) {
    return !is_space(c) && (c < ' ' || c > '~');  // a negative char is a byte above 0x7F
  });
  if (strange != text.end()) {
    throw ScheduleError(name + " contains the byte " + hexadecimal(*strange),
                        static_cast<std::size_t>(strange - text.begin()) + 1,
                        "A " + name + " is written in " + std::string(kind.alphabet) + ".");
  }
}

}  // namespace

std::vector<Word> split_words(std::string_view text, const TextKind& kind) {
  check_characters(text, kind);
  std::vector<Word> words;
  for (auto begin = text.begin(); begin != text.end();) {
    begin = std::find_if_not(begin, text.end(), is_space);
    const auto end = std::find_if(begin, text.end(), is_space);
    if (begin != end) {
      const auto at = static_cast<std::size_t>(begin - text.begin());
      words.push_back({text.substr(at, static_cast<std::size_t>(end - begin)), at + 1});
    }
    begin = end;
  }
  if (words.empty())
    throw ScheduleError(std::string(kind.name) + " is empty", 1, std::string(kind.forms));
  return words;
}

std::string quoted(std::string_view text) {
  constexpr std::size_t kLongest = 24;
  std::string result = "\"";
  result += text.substr(0, kLongest);
  result += text.size() > kLongest ? "...\"" : "\"";
  return result;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return to_lower(x) == to_lower(y); });
}

}  // namespace metrics_refresh::core
