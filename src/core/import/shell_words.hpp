// A simple command of the POSIX shell as words, with quotes resolved.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <string>
#include <string_view>
#include <vector>

namespace metrics_refresh::core {

struct ShellWords {
  std::vector<std::string> words;
  std::string output;   ///< the last file that output is redirected to, other than /dev/null
  std::string refusal;  ///< what the shell would do beyond cutting words, and then there are none
};

/// Output may be redirected (`>file`, `>>file`, `2>&1`); anything else that is special to the shell
/// and not quoted is refused.
ShellWords split_shell_words(std::string_view command);

}  // namespace metrics_refresh::core
