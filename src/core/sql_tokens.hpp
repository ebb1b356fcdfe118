// Splits SQL or PL/pgSQL text into tokens as the server's scanner does, but without a server and
// without ever failing. It is used to find names in the body of a function. Comments and white
// space are skipped, and strings are not interpreted. It allocates no memory.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstdint>
#include <string_view>

namespace metrics_refresh::core {

enum class SqlTokenKind : std::uint8_t {
  kName,        // text: as written
  kQuotedName,  // text: between the quotes; doubled quotes stay doubled
  kString,      // text: the same; also for E'' and $$
  kOperator,    // text: one or more characters of +-*/<>=~!@#%^&|`?
  kOther,       // a number, a parameter, or one character
  kUnknown,     // not understood, such as a Unicode escape in a name
};

struct SqlToken {
  SqlTokenKind kind = SqlTokenKind::kOther;
  std::string_view text;

  bool is(std::string_view other) const { return kind == SqlTokenKind::kOther && text == other; }
};

/// Advances `at` from the start of a comment of the form /* */ to its end. Such comments nest.
/// Returns false if the comment has no end.
bool skip_sql_comment(std::string_view text, std::size_t& at);

class SqlTokens {
 public:
  /// `backslash_escapes` means that the setting standard_conforming_strings is off. REQUIRES: the
  /// text outlives this object.
  SqlTokens(std::string_view text, bool backslash_escapes)
      : text_(text), backslash_escapes_(backslash_escapes) {}

  /// Returns false at the end of the text. If the text ends within a string, a name or a comment,
  /// the last token is kUnknown.
  bool next(SqlToken& token);

 private:
  bool skip_spaces();
  SqlToken quoted(SqlTokenKind kind, char quote, bool escapes);
  SqlToken dollar_quoted();
  SqlToken name();
  SqlToken operator_name();
  SqlToken number();
  SqlToken take(SqlTokenKind kind, std::size_t length);
  SqlToken unknown();
  char at(std::size_t offset) const {
    return at_ + offset < text_.size() ? text_[at_ + offset] : '\0';
  }

  std::string_view text_;
  std::size_t at_ = 0;
  bool backslash_escapes_;
};

}  // namespace metrics_refresh::core
