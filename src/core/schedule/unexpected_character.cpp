#include "core/schedule/unexpected_character.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

#include "core/schedule/cron_field.hpp"
#include "core/schedule/schedule_error.hpp"

namespace metrics_refresh::core {
namespace {

struct Character {
  std::string_view text;
  std::uint32_t code;  // Unicode, or kUnknown if it is not UTF-8
};

constexpr std::uint32_t kUnknown = 0xFFFFFFFF;

constexpr std::uint32_t byte_at(std::string_view text, std::size_t i) {
  return static_cast<unsigned char>(text[i]);
}

// The limits exclude the bytes that never occur in UTF-8: overlong forms, and codes above U+10FFFF.
std::size_t length_by(std::uint32_t first) {
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first < 0xE0) return 2;
  if (first >= 0xE0 && first < 0xF0) return 3;
  return first >= 0xF0 && first < 0xF5 ? 4 : 0;
}

// If the text is not UTF-8, the length of a character is unknown. So this returns all bytes up to
// the next ASCII character.
Character unknown_character(std::string_view text) {
  std::size_t length = 1;
  while (length < text.size() && byte_at(text, length) >= 0x80) ++length;
  return {text.substr(0, length), kUnknown};
}

Character first_character(std::string_view text) {
  const std::size_t length = length_by(byte_at(text, 0));
  if (length == 0 || length > text.size()) return unknown_character(text);
  std::uint32_t code = byte_at(text, 0);
  if (length > 1) code &= 0x7FU >> length;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte_at(text, i) & 0xC0U) != 0x80) return unknown_character(text);
    code = code << 6U | (byte_at(text, i) & 0x3FU);
  }
  return {text.substr(0, length), code};
}

struct Lookalikes {
  std::uint32_t first;
  std::uint32_t last;
  char ascii;      // for the first code
  bool ascending;  // if set, the next codes map to the next characters; else all to one
};

// Chosen by the names in the Unicode character database: digits, dashes, asterisks, spaces and so
// on. Such characters come from word processors and web pages.
constexpr std::array<Lookalikes, 32> kLookalikes = {{
    {0x00A0, 0x00A0, ' ', false}, {0x00D7, 0x00D7, '*', false}, {0x0660, 0x0669, '0', true},
    {0x06F0, 0x06F9, '0', true},  {0x0966, 0x096F, '0', true},  {0x09E6, 0x09EF, '0', true},
    {0x060C, 0x060C, ',', false}, {0x066D, 0x066D, '*', false}, {0x066A, 0x066A, '%', false},
    {0x1680, 0x1680, ' ', false}, {0x2000, 0x200A, ' ', false}, {0x2010, 0x2015, '-', false},
    {0x2022, 0x2022, '*', false}, {0x202F, 0x202F, ' ', false}, {0x2043, 0x2043, '-', false},
    {0x2044, 0x2044, '/', false}, {0x204E, 0x204E, '*', false}, {0x204F, 0x204F, ';', false},
    {0x205F, 0x205F, ' ', false}, {0x2212, 0x2212, '-', false}, {0x2215, 0x2215, '/', false},
    {0x2217, 0x2217, '*', false}, {0x2236, 0x2236, ':', false}, {0x22C6, 0x22C6, '*', false},
    {0x2731, 0x2733, '*', false}, {0x273B, 0x273D, '*', false}, {0x3000, 0x3000, ' ', false},
    {0x3001, 0x3001, ',', false}, {0xA789, 0xA789, ':', false}, {0xFE58, 0xFE58, '-', false},
    {0xFE61, 0xFE61, '*', false}, {0xFF01, 0xFF5E, '!', true},
}};

// Returns the ASCII character that it resembles, or 0 if there is none.
char lookalike_of(std::uint32_t code) {
  for (const Lookalikes& range : kLookalikes)
    if (code >= range.first && code <= range.last)
      return static_cast<char>(range.ascii + (range.ascending ? code - range.first : 0));
  return '\0';
}

bool is_invisible(std::uint32_t code) {
  return code < 0xA0 || code == 0xAD || lookalike_of(code) == ' ' ||
         (code >= 0x200B && code <= 0x200F) || (code >= 0x2028 && code <= 0x202E) ||
         (code >= 0x2060 && code <= 0x206F) || code == 0xFEFF;
}

std::string code_point(std::uint32_t code) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string text;
  for (; code > 0 || text.size() < 4; code /= 16) text.insert(text.begin(), kDigits[code % 16]);
  return "U+" + text;
}

std::string shown(const Character& character) {
  // Bytes of an unknown encoding are limited, because they may be a whole text.
  constexpr std::size_t kMostUnknown = 24;
  if (character.code == kUnknown)
    return character.text.size() > kMostUnknown ? "text outside ASCII"
                                                : '"' + std::string(character.text) + '"';
  if (is_invisible(character.code)) return "character " + code_point(character.code);
  return '"' + std::string(character.text) + "\" (" + code_point(character.code) + ")";
}

// Returns the place as a noun: a field if the words are those of a cron expression, otherwise the
// whole text.
std::string place_of(std::string_view text, std::size_t at, const TextKind& kind) {
  const std::string whole(kind.name);
  if (kind.name != kScheduleText.name) return whole;
  // In a list of schedules, only the one with the character is split into words.
  const std::size_t before = text.substr(0, at).find_last_of(';');
  const std::size_t begin = before == std::string_view::npos ? 0 : before + 1;
  const Words words = cut_words(text, begin, std::min(text.find(';', at), text.size()));
  const bool six = equal_ignoring_case(words.front().text, "@seconds");
  if (words.size() != (six ? kCronFields.size() + 2 : kCronFields.size())) return whole;
  std::size_t word = 0;
  while (words[word].end() <= at + 1) ++word;
  if (!six) return std::string(kCronFields[word].name) + " field";
  if (word == 0) return whole;
  return std::string(word == 1 ? kSecondField.name : kCronFields[word - 2].name) + " field";
}

std::string hint_for(const Character& character, const TextKind& kind) {
  const char ascii = character.code == kUnknown ? '\0' : lookalike_of(character.code);
  std::string hint;
  // The character is suggested only if it can occur in such a text.
  if (ascii == ' ')
    hint = "Write a space. ";
  else if (ascii != '\0' && kind.alphabet.find(ascii) != std::string_view::npos)
    hint = "Write " + std::string(1, ascii) + ". ";
  else if (is_digit(ascii) || is_letter(ascii))
    hint = "Write " + std::string(1, ascii) + ". ";
  return hint + "A " + std::string(kind.name) + " is written in " + std::string(kind.alphabet) +
         ".";
}

}  // namespace

void refuse_unexpected_character(std::string_view text, std::size_t at, const TextKind& kind) {
  const Character character = first_character(text.substr(at));
  throw ScheduleError("unexpected " + shown(character) + " in the " + place_of(text, at, kind),
                      at + 1, hint_for(character, kind));
}

}  // namespace metrics_refresh::core
