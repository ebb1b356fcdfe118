// Texts as the parsers of core/ handle them: in ASCII, whatever the locale, for bytes beyond it are
// never part of a keyword.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <string>
#include <string_view>

namespace metrics_refresh::core {

/// `text` in double quotes, cut short where it is long, for an error message.
std::string quoted(std::string_view text);
/// The same without the quotes.
std::string shortened(std::string_view text);

/// ASCII only, whatever the locale.
constexpr bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
constexpr bool is_letter(char c) { return to_lower(c) >= 'a' && to_lower(c) <= 'z'; }
bool equal_ignoring_case(std::string_view a, std::string_view b);

/// `text` without the white space at its ends.
std::string_view trimmed(std::string_view text);

/// Whether `name` is the last part of `qualified`, a name with a schema.
bool is_last_part(std::string_view name, std::string_view qualified);

/// How many letters must be put in, left out or replaced (case apart) to make one of the other; at
/// most `most` + 1.
unsigned edit_distance(std::string_view a, std::string_view b, unsigned most);

}  // namespace metrics_refresh::core
