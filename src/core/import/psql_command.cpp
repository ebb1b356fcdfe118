#include "core/import/psql_command.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "core/import/shell_words.hpp"

namespace metrics_refresh::core {
namespace {

// The shell's words are read with the options of psql. An option that only affects the output is
// ignored. An option that selects the connection or the SQL is stored. An option that changes the
// effect of the command is refused. The first reason is reported.
//
// Example: psql -qd shop -c 'REFRESH MATERIALIZED VIEW m' >/dev/null
//   -> sql = {REFRESH MATERIALIZED VIEW m}, database = shop

struct LongOption {
  std::string_view name;
  char letter;
};

// Options with a value, and flags, by their letters. An option that changes the effect of a command
// is in neither list, so it is refused.
constexpr std::string_view kValued = "cdfhopvFLPRTU";
constexpr std::string_view kFlags = "aAbeEnqsStwWxXz01";
constexpr std::array<LongOption, 22> kLongOptions = {{
    {"command", 'c'},     {"dbname", 'd'},      {"file", 'f'},         {"host", 'h'},
    {"output", 'o'},      {"port", 'p'},        {"set", 'v'},          {"variable", 'v'},
    {"log-file", 'L'},    {"username", 'U'},    {"pset", 'P'},         {"echo-all", 'a'},
    {"no-align", 'A'},    {"echo-errors", 'b'}, {"echo-queries", 'e'}, {"quiet", 'q'},
    {"tuples-only", 't'}, {"no-password", 'w'}, {"no-psqlrc", 'X'},    {"single-transaction", '1'},
    {"expanded", 'x'},    {"no-readline", 'n'},
}};

std::string_view base_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

bool is_connection_string(std::string_view database) {
  return database.find('=') != std::string_view::npos ||
         database.find("://") != std::string_view::npos;
}

class OptionReader {
 public:
  explicit OptionReader(const std::vector<std::string>& words) : words_(words) {}

  PsqlCommand read() {
    for (at_ = 1; at_ < words_.size() && result_.reason.empty(); ++at_) {
      const std::string_view word = words_[at_];
      if (word.substr(0, 2) == "--")
        read_long(word.substr(2));
      else if (word.size() > 1 && word.front() == '-')
        read_short(word.substr(1));
      else
        positional_.push_back(word);
    }
    finish();
    return std::move(result_);
  }

 private:
  void refuse(const std::string& reason) {
    if (result_.reason.empty()) result_.reason = reason;
  }

  void read_long(std::string_view option) {
    const std::size_t sign = option.find('=');
    const std::string_view name = option.substr(0, sign);
    const auto found = std::find_if(kLongOptions.begin(), kLongOptions.end(),
                                    [name](const LongOption& o) { return o.name == name; });
    // psql also accepts abbreviations of long options; they are refused, because scripts rarely use
    // them.
    if (found == kLongOptions.end()) return refuse("psql's option --" + std::string(name));
    if (kValued.find(found->letter) == std::string_view::npos) return;
    if (sign != std::string_view::npos)
      apply(found->letter, std::string(option.substr(sign + 1)));
    else
      apply_with_value(found->letter);
  }

  // Reads flags, and at most one option with a value, which is the rest of the word or the next
  // word.
  void read_short(std::string_view letters) {
    while (!letters.empty()) {
      const char letter = letters.front();
      letters.remove_prefix(1);
      if (kFlags.find(letter) != std::string_view::npos) continue;
      if (kValued.find(letter) == std::string_view::npos)
        return refuse("psql's option -" + std::string(1, letter));
      if (letters.empty()) return apply_with_value(letter);
      return apply(letter, std::string(letters));
    }
  }

  void apply_with_value(char letter) {
    if (at_ + 1 == words_.size())
      return refuse("psql's option -" + std::string(1, letter) + " has no value");
    apply(letter, words_[++at_]);
  }

  void apply(char letter, const std::string& value) {
    switch (letter) {
      case 'c':
        // psql executes a -c argument that begins with a backslash itself.
        if (value.find_first_not_of(" \t") != std::string::npos &&
            value[value.find_first_not_of(" \t")] == '\\')
          return refuse("a command of psql's own: " + value);
        result_.sql.push_back(value);
        break;
      case 'd':
        result_.database = value;
        break;
      case 'f':
        refuse("the SQL is in a file: " + value);
        break;
      case 'h':
        result_.host = value;
        break;
      case 'o':
        result_.output = value;
        break;
      case 'p':
        result_.port = value;
        break;
      case 'U':
        result_.user = value;
        break;
      default:
        break;  // output formats, and variables, which -c does not replace
    }
  }

  // As in psql, a word without an option is the database, and the next one the user.
  void add_positional(std::string_view word) {
    if (result_.database.empty())
      result_.database = word;
    else if (result_.user.empty())
      result_.user = word;
    else
      refuse("psql ignores " + std::string(word));
  }

  void finish() {
    for (const std::string_view word : positional_) add_positional(word);
    // A connection string can contain anything, so its parts are not compared with ours.
    if (is_connection_string(result_.database))
      refuse("psql's database is given by a connection string");
    if (result_.sql.empty()) refuse("psql gets no SQL by -c");
  }

  const std::vector<std::string>& words_;
  std::size_t at_ = 1;
  std::vector<std::string_view> positional_;
  PsqlCommand result_;
};

PsqlCommand refused(const std::string& reason) {
  PsqlCommand command;
  command.reason = reason;
  return command;
}

}  // namespace

PsqlCommand read_psql_command(std::string_view command) {
  const ShellWords shell = split_shell_words(command);
  const std::vector<std::string>& words = shell.words;
  if (!shell.reason.empty()) return refused(shell.reason);
  if (words.empty()) return refused("there is no command");
  // These checks only improve the message.
  if (base_name(words[0]) != "psql") {
    if (words[0].find('=') != std::string::npos)
      return refused("it sets a variable for the command: " +
                     words[0].substr(0, words[0].find('=')));
    const bool has_user = words.size() > 1 && base_name(words[1]) == "psql";
    return refused(has_user ? "it begins with " + words[0] +
                                  ": take out the user's name, which only /etc/crontab has"
                            : "it is no call of psql");
  }
  PsqlCommand result = OptionReader(words).read();
  if (!shell.output.empty()) result.output = shell.output;
  return result;
}

}  // namespace metrics_refresh::core
