#include "core/import/shell_words.hpp"

#include <optional>
#include <utility>

#include "core/text.hpp"

namespace metrics_refresh::core {
namespace {

// A small part of the shell's grammar: blanks, quotes, backslashes and redirections of the output.
// The reader refuses each character that makes the shell do anything else, because a wrong guess
// would change the command that a job runs.

constexpr std::string_view kBlanks = " \t";

class Splitter {
 public:
  explicit Splitter(std::string_view text) : text_(text) {}

  ShellWords split() {
    while (result_.reason.empty()) {
      while (at_ < text_.size() && kBlanks.find(text_[at_]) != std::string_view::npos) ++at_;
      if (at_ == text_.size()) return std::move(result_);
      if (!read_redirection()) read_word();
    }
    result_.words.clear();
    return std::move(result_);
  }

 private:
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }

  void refuse(const std::string& reason) { result_.reason = reason; }

  // Reads [n]>file, [n]>>file, [n]>&m or &>file. Returns false if there is none.
  bool read_redirection() {
    std::size_t sign = peek() == '&' && peek(1) == '>' ? 1 : 0;
    while (is_digit(peek(sign))) ++sign;
    if (peek(sign) != '>') return false;
    at_ += sign + 1;
    if (peek() == '>') ++at_;
    // The output goes to another descriptor, so no file is named.
    if (peek() == '&' && is_digit(peek(1))) {
      at_ += 2;
      return true;
    }
    while (kBlanks.find(peek()) != std::string_view::npos && at_ < text_.size()) ++at_;
    const std::size_t words = result_.words.size();
    read_word();
    if (result_.words.size() == words) {
      if (result_.reason.empty()) refuse("it redirects its output to nothing");
      return true;
    }
    if (result_.words.back() != "/dev/null") result_.output = result_.words.back();
    result_.words.pop_back();
    return true;
  }

  void read_word() {
    std::string word;
    bool is_quoted = false;
    for (; at_ < text_.size() && kBlanks.find(text_[at_]) == std::string_view::npos; ++at_) {
      const char c = text_[at_];
      if (c == '\'' || c == '"') {
        is_quoted = true;
        if (!read_quoted(c, word)) return;
      } else if (c == '\\') {
        if (++at_ == text_.size()) return refuse("it ends in a backslash");
        word += text_[at_];
      } else if (c == '>') {
        break;
      } else if (!is_plain(c, word.empty() && !is_quoted)) {
        return;
      } else {
        word += c;
      }
    }
    // An empty pair of quotes is also a word.
    if (is_quoted || !word.empty()) result_.words.push_back(std::move(word));
  }

  // Some characters are special anywhere, others only at the start of a word.
  bool is_plain(char c, bool is_first) {
    if (c == '$' || c == '`')
      refuse("the shell puts something in for a variable or a command");
    else if (std::string_view("|&;<()\n").find(c) != std::string_view::npos)
      refuse("it is more than one command for the shell: " + std::string(1, c));
    else if (std::string_view("*?[").find(c) != std::string_view::npos ||
             (is_first && std::string_view("~#!{}").find(c) != std::string_view::npos))
      refuse("the shell gives an unquoted " + std::string(1, c) + " a meaning");
    return result_.reason.empty();
  }

  // Reads up to the closing quote, and leaves the position there.
  bool read_quoted(char quote, std::string& word) {
    for (++at_; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == quote) return true;
      if (quote == '"' && (c == '$' || c == '`')) {
        refuse("the shell puts something in for a variable or a command");
        return false;
      }
      // Within double quotes, a backslash escapes only these characters; otherwise it stands for
      // itself.
      const bool escapes =
          quote == '"' && c == '\\' && at_ + 1 < text_.size() &&
          std::string_view("$`\"\\").find(text_[at_ + 1]) != std::string_view::npos;
      if (escapes) ++at_;
      word += text_[at_];
    }
    refuse("a quote is not closed");
    return false;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  ShellWords result_;
};

}  // namespace

ShellWords split_shell_words(std::string_view command) { return Splitter(command).split(); }

}  // namespace metrics_refresh::core
