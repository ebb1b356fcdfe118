#include "core/sql_tokens.hpp"

#include "core/text.hpp"

namespace metrics_refresh::core {
namespace {

// next() skips white space and comments, and decides by the first character which kind of token
// begins. It follows the rules of the server's scanner (scan.l), but it never fails: for text that
// it does not understand, it returns the rest of the text as one odd token, and the caller must
// assume the worst.

constexpr std::string_view kSpaces = " \t\r\n\f\v";
constexpr std::string_view kOperatorCharacters = "~!@#^&|`?+-*/%<>=";
constexpr std::size_t kNone = std::string_view::npos;

// The server treats all bytes beyond ASCII as letters.
bool begins_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & '\x80') != 0;
}

bool continues_name(char c) { return begins_name(c) || is_digit(c) || c == '$'; }

bool is_one_of(char c, std::string_view characters) { return characters.find(c) != kNone; }

}  // namespace

bool skip_sql_comment(std::string_view text, std::size_t& at) {
  int depth = 0;
  // Comments of this form nest in PostgreSQL.
  do {
    const std::string_view two = text.substr(at, 2);
    if (two.size() < 2) return false;
    if (two == "/*") ++depth;
    if (two == "*/") --depth;
    at += two == "/*" || two == "*/" ? 2 : 1;
  } while (depth > 0);
  return true;
}

SqlToken SqlTokens::take(SqlTokenKind kind, std::size_t length) {
  const SqlToken token = {kind, text_.substr(at_, length)};
  at_ += token.text.size();
  return token;
}

SqlToken SqlTokens::unknown() { return take(SqlTokenKind::kUnknown, text_.size() - at_); }

bool SqlTokens::skip_spaces() {
  while (at_ < text_.size()) {
    const std::string_view two = text_.substr(at_, 2);
    if (is_one_of(text_[at_], kSpaces)) {
      ++at_;
    } else if (two == "--") {
      at_ = text_.find('\n', at_);
      if (at_ == kNone) at_ = text_.size();
    } else if (two == "/*") {
      if (!skip_sql_comment(text_, at_)) return false;
    } else {
      break;
    }
  }
  return true;
}

// REQUIRES: the current character is the opening quote.
SqlToken SqlTokens::quoted(SqlTokenKind kind, char quote, bool escapes) {
  std::size_t end = at_ + 1;
  for (; end < text_.size(); ++end) {
    if (escapes && text_[end] == '\\') {
      ++end;
    } else if (text_[end] == quote) {
      // A doubled quote stands for one quote within the string.
      if (end + 1 >= text_.size() || text_[end + 1] != quote) break;
      ++end;
    }
  }
  if (end >= text_.size()) return unknown();
  const SqlToken token = {kind, text_.substr(at_ + 1, end - at_ - 1)};
  at_ = end + 1;
  return token;
}

// A dollar sign that does not begin a string is odd.
SqlToken SqlTokens::dollar_quoted() {
  std::size_t end = at_ + 1;
  while (end < text_.size() && text_[end] != '$' && continues_name(text_[end])) ++end;
  if (end >= text_.size() || text_[end] != '$') return unknown();
  const std::string_view mark = text_.substr(at_, end + 1 - at_);
  const std::size_t close = text_.find(mark, end + 1);
  if (close == kNone) return unknown();
  const SqlToken token = {SqlTokenKind::kString, text_.substr(end + 1, close - end - 1)};
  at_ = close + mark.size();
  return token;
}

SqlToken SqlTokens::name() {
  // A prefix such as E or B belongs to the string. With N, the string is an ordinary one.
  if (at(1) == '\'' && is_one_of(at(0), "bBeEnNxX")) {
    const bool escapes = is_one_of(at(0), "eE") || backslash_escapes_;
    ++at_;
    return quoted(SqlTokenKind::kString, '\'', escapes);
  }
  // U& strings can contain escapes with a character of the user's choice, so they are odd.
  if (is_one_of(at(0), "uU") && at(1) == '&' && (at(2) == '"' || at(2) == '\'')) return unknown();
  std::size_t length = 1;
  while (continues_name(at(length)) && at_ + length < text_.size()) ++length;
  return take(SqlTokenKind::kName, length);
}

// The start of a comment ends an operator, as in the server.
SqlToken SqlTokens::operator_name() {
  std::size_t length = 1;
  while (at_ + length < text_.size() && is_one_of(at(length), kOperatorCharacters)) {
    const std::string_view two = text_.substr(at_ + length, 2);
    if (two == "--" || two == "/*") break;
    ++length;
  }
  return take(SqlTokenKind::kOperator, length);
}

// In `1..2`, the dots do not belong to the numbers, because PL/pgSQL uses them in loops.
SqlToken SqlTokens::number() {
  std::size_t length = 1;
  while (at_ + length < text_.size() &&
         (continues_name(at(length)) || (at(length) == '.' && at(length + 1) != '.')))
    ++length;
  return take(SqlTokenKind::kOther, length);
}

bool SqlTokens::next(SqlToken& token) {
  // The comment has no end, so no further token can be trusted.
  if (!skip_spaces()) {
    at_ = text_.size();
    token = {SqlTokenKind::kUnknown, {}};
    return true;
  }
  if (at_ >= text_.size()) return false;
  const char c = text_[at_];
  if (c == '\'')
    token = quoted(SqlTokenKind::kString, c, backslash_escapes_);
  else if (c == '"')
    token = quoted(SqlTokenKind::kQuotedName, c, false);
  else if (c == '$')
    // A dollar sign with a digit is a parameter.
    token = is_digit(at(1)) ? number() : dollar_quoted();
  else if (begins_name(c))
    token = name();
  else if (is_digit(c))
    token = number();
  else if (is_one_of(c, kOperatorCharacters))
    token = operator_name();
  else if (text_.substr(at_, 2) == "::")
    token = take(SqlTokenKind::kOther, 2);
  else
    token = take(SqlTokenKind::kOther, 1);
  return true;
}

}  // namespace metrics_refresh::core
