// Text functions for the parsers of core/. They handle ASCII only and do not depend on the locale,
// because no keyword has a byte beyond ASCII.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <string>
#include <string_view>

#include "core/instant.hpp"

namespace metrics_refresh::core {

/// Returns `text` in double quotes for an error message. A long text is shortened.
std::string quoted(std::string_view text);
/// The same, without quotes.
std::string shortened(std::string_view text);

/// ASCII only, independent of the locale.
constexpr bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
constexpr bool is_letter(char c) { return to_lower(c) >= 'a' && to_lower(c) <= 'z'; }
bool equal_ignoring_case(std::string_view a, std::string_view b);

/// Returns `text` without leading and trailing white space.
std::string_view trimmed(std::string_view text);

/// Returns whether `name` is the last part of `qualified`, a schema-qualified name.
bool is_last_part(std::string_view name, std::string_view qualified);

/// Returns the number of letters to insert, delete or replace (ignoring case) to turn one text into
/// the other; at most `most` + 1.
unsigned edit_distance(std::string_view a, std::string_view b, unsigned most);

/// A duration in a suitable unit, such as `5 min`.
std::string span(Duration d);

/// A value as an SQL literal, for statements in hints.
std::string literal(std::string_view value);

}  // namespace metrics_refresh::core
