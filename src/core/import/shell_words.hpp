// Splits a simple command of the POSIX shell into words, and resolves quotes.
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
  std::string output;  ///< the last file that output is redirected to, if it is not /dev/null
  std::string reason;  ///< why the shell does more than split words; if set, there are no words
};

/// Redirections of the output are accepted (`>file`, `>>file`, `2>&1`). Any other character that is
/// special to the shell and not quoted is refused.
ShellWords split_shell_words(std::string_view command);

}  // namespace metrics_refresh::core
