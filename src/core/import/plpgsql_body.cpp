#include "core/import/plpgsql_body.hpp"

#include <algorithm>
#include <utility>

#include "core/sql_tokens.hpp"
#include "core/text.hpp"

namespace metrics_refresh::core {
namespace {

// The body is cut at each semicolon outside of strings and comments. This is not a PL/pgSQL parser:
// it recognizes only bodies that are a plain list of statements, and gives up if it finds a
// construct that it cannot read safely.
//
// Example: BEGIN REFRESH MATERIALIZED VIEW a; REFRESH MATERIALIZED VIEW b; END
//   -> the statements REFRESH MATERIALIZED VIEW a and REFRESH MATERIALIZED VIEW b

constexpr std::string_view kSpaces = " \t\r\n\f\v";

// If the text begins with the word, removes it and returns true.
bool skip_word(std::string_view& text, std::string_view word) {
  const std::size_t end = std::min(text.find_first_of(kSpaces), text.size());
  if (!equal_ignoring_case(text.substr(0, end), word)) return false;
  text = trimmed(text.substr(end));
  return true;
}

// Cuts the text at each `;` and removes comments.
class StatementSplitter {
 public:
  explicit StatementSplitter(std::string_view text) : text_(text) {}

  std::optional<std::vector<std::string>> cut() {
    std::string part;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (text_.substr(at_, 2) == "--") {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (text_.substr(at_, 2) == "/*") {
        if (!skip_sql_comment(text_, at_)) return std::nullopt;
        // A comment separates words, like a space.
        part += ' ';
      } else if (c == '"' || c == '\'') {
        const std::size_t end = text_.find(c, at_ + 1);
        if (end == std::string_view::npos) return std::nullopt;
        part += text_.substr(at_, end + 1 - at_);
        at_ = end + 1;
      } else if (c == '$' || c == '\\') {
        // Dollar quotes and backslash escapes would need a full scanner.
        return std::nullopt;
      } else if (c == ';') {
        parts_.push_back(std::exchange(part, {}));
        ++at_;
      } else {
        part += c;
        ++at_;
      }
    }
    parts_.push_back(part);
    return std::move(parts_);
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<std::string> parts_;
};

bool is_end(std::string_view part) {
  return skip_word(part, "end") && part.find_first_of(kSpaces) == std::string_view::npos;
}

bool skip_one_of(std::string_view& text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [&text](std::string_view word) { return skip_word(text, word); });
}

// Returns the text before the first occurrence of the word and the text after it, or nothing.
std::optional<std::pair<std::string_view, std::string_view>> cut_at(std::string_view text,
                                                                    std::string_view word) {
  for (std::size_t at = 0; at < text.size();) {
    at = text.find_first_of(kSpaces, at);
    if (at == std::string_view::npos) break;
    at = std::min(text.find_first_not_of(kSpaces, at), text.size());
    std::string_view rest = text.substr(at);
    if (skip_word(rest, word)) return std::pair(text.substr(0, at), rest);
  }
  return std::nullopt;
}

void add_parts(std::string_view text, std::vector<std::string>& parts) {
  text = trimmed(text);
  // Keywords can precede the first statement of a block without a semicolon.
  while (skip_one_of(text, {"begin", "declare", "else", "loop", "perform"})) {
  }
  if (skip_word(text, "return")) (void)skip_one_of(text, {"query", "next"});
  const bool has_condition = skip_one_of(text, {"if", "elsif", "elseif"});
  const bool is_loop = !has_condition && skip_one_of(text, {"for", "foreach", "while"});
  if (has_condition || is_loop) {
    // The query of a loop follows IN.
    if (const auto range = is_loop ? cut_at(text, "in") : std::nullopt) text = range->second;
    if (const auto cut = cut_at(text, has_condition ? "then" : "loop")) {
      parts.emplace_back(cut->first);
      return add_parts(cut->second, parts);
    }
  }
  // The right side of an assignment is an SQL expression.
  if (const std::size_t at = text.find(":="); at != std::string_view::npos)
    parts.emplace_back(trimmed(text.substr(at + 2)));
  if (!text.empty()) parts.emplace_back(text);
}

}  // namespace

std::vector<std::string> parts_of_body(std::string_view body) {
  std::vector<std::string> parts;
  if (const auto statements = StatementSplitter(body).cut())
    for (const std::string& statement : *statements) add_parts(statement, parts);
  return parts;
}

std::optional<PlainBody> read_plain_body(std::string_view body) {
  std::optional<std::vector<std::string>> parts = StatementSplitter(body).cut();
  if (!parts) return std::nullopt;
  // END may be followed by a semicolon, after which nothing is left.
  if (parts->size() > 1 && trimmed(parts->back()).empty()) parts->pop_back();
  if (parts->size() < 2 || !is_end(trimmed(parts->back()))) return std::nullopt;
  parts->pop_back();
  PlainBody result;
  for (std::size_t i = 0; i < parts->size(); ++i) {
    std::string_view statement = trimmed((*parts)[i]);
    if (i == 0 && !skip_word(statement, "begin")) return std::nullopt;
    if (i + 1 == parts->size() && skip_word(statement, "return"))
      result.returned = statement;
    else
      result.statements.emplace_back(statement);
  }
  return result;
}

}  // namespace metrics_refresh::core
