// What the columns of a hand-written log mean to us, by their names and types, and its words for a
// run's status.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "store/adoption/old_log.hpp"

namespace metrics_refresh::store {

/// What a column of a log means to us.
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

/// The first column of that meaning, or null.
const OldLog::Column* find_column(const OldLog& log, LogColumn meaning);

/// Why the table can be no log of refreshes, or empty.
std::string problem_of(const OldLog& log);

/// The statuses of our log.
inline constexpr const char* kStatuses[] = {"success", "error",    "running",
                                            "skipped", "canceled", "interrupted"};

/// The words that people use for a status of ours, as a list of SQL constants in lower case.
std::string words_of(std::string_view status);

/// The one among `words` that means the status, or empty.
std::string word_for(std::string_view status, const std::vector<std::string>& words);

}  // namespace metrics_refresh::store
