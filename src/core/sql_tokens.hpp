// The words of a text in SQL or PL/pgSQL, as the server's scanner cuts them, without a server and
// without ever failing: for those who look for names in the body of a function. Comments and white
// space are left out; what is in a string stays in it. It keeps no memory of its own.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstdint>
#include <string_view>

namespace metrics_refresh::core {

enum class SqlTokenKind : std::uint8_t {
  kName,        // text: as it stands there
  kQuotedName,  // text: between the quotes, which are still doubled inside
  kString,      // text: likewise; of E'' and $$ too
  kOperator,    // text: of one or more characters of +-*/<>=~!@#%^&|`?
  kOther,       // a number, a parameter, or one character
  kOdd,         // something that is not understood, such as a Unicode escape in a name
};

struct SqlToken {
  SqlTokenKind kind = SqlTokenKind::kOther;
  std::string_view text;

  bool is(std::string_view other) const { return kind == SqlTokenKind::kOther && text == other; }
};

/// Moves `at`, where a comment of the form /* */ begins, to behind it; they nest. False where it
/// has no end.
bool skip_sql_comment(std::string_view text, std::size_t& at);

class SqlTokens {
 public:
  /// `backslash_escapes`: the setting standard_conforming_strings is off. REQUIRES: the text
  /// outlives this.
  SqlTokens(std::string_view text, bool backslash_escapes)
      : text_(text), backslash_escapes_(backslash_escapes) {}

  /// False at the end. Text that ends within a string, a name or a comment ends with kOdd.
  bool next(SqlToken& token);

 private:
  bool skip_spaces();
  SqlToken quoted(SqlTokenKind kind, char quote, bool escapes);
  SqlToken dollar_quoted();
  SqlToken name();
  SqlToken operator_name();
  SqlToken number();
  SqlToken take(SqlTokenKind kind, std::size_t length);
  SqlToken odd();
  char at(std::size_t offset) const {
    return at_ + offset < text_.size() ? text_[at_ + offset] : '\0';
  }

  std::string_view text_;
  std::size_t at_ = 0;
  bool backslash_escapes_;
};

}  // namespace metrics_refresh::core
