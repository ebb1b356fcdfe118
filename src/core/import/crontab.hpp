// Reads a user's crontab line by line, as described in crontab(5). It separates schedules from
// commands, but does not interpret commands (see psql_command.hpp).
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <string>
#include <string_view>
#include <vector>

namespace metrics_refresh::core {

struct CrontabEntry {
  int line = 0;            ///< one-based
  std::string schedule;    ///< five fields or a nickname, as written
  std::string command;     ///< for the shell; `\%` is already replaced by `%`
  bool has_input = false;  ///< a `%` ends the command; the rest is its standard input
  std::string timezone;    ///< from the last CRON_TZ above it; empty if there is none
  std::string database;    ///< from the last PGDATABASE above it; empty if there is none
  std::string variable;    ///< another setting above it that affects psql, such as PGHOST
  std::string reason;      ///< why the line is not an entry; if set, all else is empty
};

/// Returns one entry for each line that is not a comment, a setting or blank.
std::vector<CrontabEntry> read_crontab(std::string_view text);

}  // namespace metrics_refresh::core
