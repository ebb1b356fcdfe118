#include "core/import/crontab.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/text.hpp"

namespace metrics_refresh::core {
namespace {

// The text is read line by line. A setting applies to all entries below it, as in crontab(5), so
// the current values of the relevant settings are copied into each entry. An entry is not
// interpreted any further here: its schedule and its command are left to other readers.
//
// Example:
//   CRON_TZ=Europe/Berlin
//   0 3 * * * psql -c 'REFRESH MATERIALIZED VIEW m'
//   -> one entry: line 2, schedule "0 3 * * *", timezone "Europe/Berlin"

constexpr std::string_view kBlanks = " \t\r";

std::string_view unquoted(std::string_view text) {
  const bool quoted = text.size() >= 2 && (text.front() == '"' || text.front() == '\'') &&
                      text.back() == text.front();
  return quoted ? text.substr(1, text.size() - 2) : text;
}

bool is_name(std::string_view text) {
  if (text.empty() || is_digit(text.front())) return false;
  for (const char c : text)
    if (!is_letter(c) && !is_digit(c) && c != '_') return false;
  return true;
}

struct Setting {
  std::string_view name;
  std::string_view value;
};

// A line is a setting only if a name precedes the equals sign. A command can also contain one.
std::optional<Setting> read_setting(std::string_view line) {
  const std::size_t sign = line.find('=');
  if (sign == std::string_view::npos) return std::nullopt;
  const std::string_view name = unquoted(trimmed(line.substr(0, sign)));
  if (!is_name(name)) return std::nullopt;
  return Setting{name, unquoted(trimmed(line.substr(sign + 1)))};
}

// Returns whether the setting neither selects the connection nor changes the effect of a command.
bool is_harmless(std::string_view name) {
  return name.substr(0, 2) != "PG" || name == "PGPASSWORD" || name == "PGPASSFILE" ||
         name == "PGAPPNAME" || name == "PGCONNECT_TIMEOUT";
}

// Removes the words of the schedule from the line, and returns them.
std::string take_schedule(std::string_view& line) {
  std::string schedule;
  const int words = line.front() == '@' ? 1 : 5;
  for (int i = 0; i < words && !line.empty(); ++i) {
    const std::size_t end = std::min(line.find_first_of(kBlanks), line.size());
    if (i > 0) schedule += ' ';
    schedule += line.substr(0, end);
    line = trimmed(line.substr(end));
  }
  return schedule;
}

void set_command(std::string_view text, CrontabEntry& entry) {
  // cron(8): an unescaped % ends the command, and the rest of the line is its standard input.
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      entry.has_input = true;
      return;
    }
    if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] == '%') ++i;
    entry.command += text[i];
  }
}

}  // namespace

std::vector<CrontabEntry> read_crontab(std::string_view text) {
  std::vector<CrontabEntry> entries;
  std::string timezone;
  std::string database;
  std::string variable;
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    if (const std::optional<Setting> setting = read_setting(line)) {
      if (setting->name == "CRON_TZ")
        timezone = setting->value;
      else if (setting->name == "PGDATABASE")
        database = setting->value;
      else if (!is_harmless(setting->name))
        variable = setting->name;
      continue;
    }
    CrontabEntry entry;
    entry.line = number;
    entry.schedule = take_schedule(line);
    // Words were read as a schedule, but no command follows. So none of them can be trusted.
    if (line.empty()) {
      entry = {};
      entry.line = number;
      entry.reason = "a line has five fields or a nickname, and then a command";
    } else {
      set_command(line, entry);
      entry.timezone = timezone;
      entry.database = database;
      entry.variable = variable;
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace metrics_refresh::core
