// A command line of the shell that does nothing but call psql with SQL in its arguments: which SQL,
// and what it connects to. Whatever else the shell would do with it (variables, pipes, several
// commands) is refused, not guessed at.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <string>
#include <string_view>
#include <vector>

namespace metrics_refresh::core {

struct PsqlCommand {
  std::vector<std::string> sql;  ///< of each `-c`
  std::string database;          ///< these are empty where the command does not say
  std::string user;
  std::string host;
  std::string port;
  std::string output;   ///< the file that the output goes to, other than /dev/null
  std::string refusal;  ///< why it cannot be taken over, and then nothing else counts
};

/// Reads words as a POSIX shell does: '...', "..." and backslash.
PsqlCommand read_psql_command(std::string_view command);

}  // namespace metrics_refresh::core
