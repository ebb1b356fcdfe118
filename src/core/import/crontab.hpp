// The text of a user's crontab, line by line, as crontab(5) describes it. It knows where a command
// begins and ends, and not what it does (psql_command.hpp).
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
  std::string command;     ///< for the shell; `\%` is `%` by now
  bool has_input = false;  ///< a `%` ends the command, and what follows is its standard input
  std::string timezone;    ///< of the last CRON_TZ above it; empty where there is none
  std::string database;    ///< of the last PGDATABASE above it; empty where there is none
  std::string variable;    ///< another setting above it that psql goes by, such as PGHOST
  std::string problem;     ///< why the line is no entry, and then all else is empty
};

/// Every line but comments, settings and blank ones.
std::vector<CrontabEntry> read_crontab(std::string_view text);

}  // namespace metrics_refresh::core
