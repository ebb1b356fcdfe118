// The meaning of the columns of a hand-written log, from their names and types, and its words for
// the status of a run.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "store/adoption/old_log.hpp"

namespace metrics_refresh::store {

/// The meaning of a column.
enum class LogColumn {
  kId,
  kStatus,
  kSuccess,
  kStarted,
  kFinished,
  kDuration,  // in milliseconds, or an interval
  kSeconds,
  kError,
  kSqlState,
  kView,
  kTrigger,
  kRows,
  kOther,
};

LogColumn meaning_of(const OldLog::Column& column);

/// The first column with that meaning, or null.
const OldLog::Column* find_column(const OldLog& log, LogColumn meaning);

/// The reason why the table cannot be a log of refreshes, or empty.
std::string reason_against_log(const OldLog& log);

/// The statuses of the extension's log.
inline constexpr const char* kStatuses[] = {"success", "error",    "running",
                                            "skipped", "canceled", "interrupted"};

/// The common words for a status, as a list of SQL constants in lower case.
std::string words_of(std::string_view status);

/// The word among `words` that stands for the status, or empty.
std::string word_for(std::string_view status, const std::vector<std::string>& words);

}  // namespace metrics_refresh::store
