// Reads a shell command that does nothing but call psql with SQL in its arguments. The result is
// the SQL and the connection. Any other effect of the shell, such as variables, pipes or several
// commands, is refused and not guessed.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <string>
#include <string_view>
#include <vector>

namespace metrics_refresh::core {

struct PsqlCommand {
  std::vector<std::string> sql;  ///< one for each `-c`
  std::string database;          ///< this and the next three are empty if not given
  std::string user;
  std::string host;
  std::string port;
  std::string output;  ///< the file for the output, if it is not /dev/null
  std::string reason;  ///< why it cannot be imported; if set, ignore the rest
};

/// Reads words as a POSIX shell does: '...', "..." and backslash.
PsqlCommand read_psql_command(std::string_view command);

}  // namespace metrics_refresh::core
