// Recognizes the columns of a hand-written log by their names and types.
//
// A column has a meaning only if both fit. Example: `status text` is the status of a run, but
// `status integer` has no meaning here. A column without a meaning is kept in copied rows and is
// NULL in new ones. The lists contain the names that are common in such tables.
#include "store/adoption/log_columns.hpp"

#include <algorithm>

#include "store/adoption/value_kind.hpp"

namespace metrics_refresh::store {
namespace {

struct Meaning {
  LogColumn meaning;
  ValueKind kind;
  // Names separated by blanks, with a blank before the first and after the last.
  std::string_view names;
};

constexpr Meaning kMeanings[] = {
    {LogColumn::kStatus, ValueKind::kText, " status state "},
    {LogColumn::kSuccess, ValueKind::kBool, " success succeeded "},
    {LogColumn::kStarted, ValueKind::kTime,
     " started_at refresh_started_at start_time started run_at executed_at refreshed_at created_at "
     "inserted_at logged_at "},
    {LogColumn::kFinished, ValueKind::kTime,
     " completed_at finished_at refresh_completed_at ended_at end_time finished completed "},
    {LogColumn::kDuration, ValueKind::kNumber,
     " duration_ms execution_time_ms refresh_duration_ms elapsed_ms "},
    {LogColumn::kSeconds, ValueKind::kNumber, " duration_seconds duration_s duration_sec "},
    {LogColumn::kError, ValueKind::kText, " error_message error error_msg error_text "},
    {LogColumn::kSqlState, ValueKind::kText, " sqlstate error_code error_state "},
    {LogColumn::kView, ValueKind::kText, " view_name matview_name materialized_view "},
    {LogColumn::kTrigger, ValueKind::kText, " triggered_by trigger_source "},
    {LogColumn::kRows, ValueKind::kNumber, " rows_total row_count rows_affected "},
};

// For each status, the words that are common for it, in the same format.
constexpr std::pair<std::string_view, std::string_view> kWords[] = {
    {"success", " success succeeded successful completed complete ok done finished "},
    {"error", " error failed failure fail errored "},
    {"running", " running started in_progress processing pending "},
    {"skipped", " skipped "},
    {"canceled", " canceled cancelled "},
    {"interrupted", " interrupted aborted "},
};

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return static_cast<char>(pg_tolower(static_cast<unsigned char>(c)));
  });
  return text;
}

bool has_word(std::string_view list, const std::string& word) {
  return list.find(" " + word + " ") != std::string_view::npos;
}

}  // namespace

LogColumn meaning_of(const OldLog::Column& column) {
  const ValueKind kind = kind_of(column.type);
  if (column.name == "id" &&
      // Ids may be numbers, texts or UUIDs.
      (kind == ValueKind::kNumber || kind == ValueKind::kText || column.type == UUIDOID))
    return LogColumn::kId;
  if (column.type == INTERVALOID && column.name == "duration") return LogColumn::kDuration;
  for (const Meaning& known : kMeanings) {
    if (!has_word(known.names, column.name)) continue;
    // A status may also be an enum, whose labels are the words.
    const bool is_enum =
        known.meaning == LogColumn::kStatus && kind == ValueKind::kOther && !column.words.empty();
    return kind == known.kind || is_enum ? known.meaning : LogColumn::kOther;
  }
  return LogColumn::kOther;
}

const OldLog::Column* find_column(const OldLog& log, LogColumn meaning) {
  for (const OldLog::Column& column : log.columns)
    if (meaning_of(column) == meaning) return &column;
  return nullptr;
}

std::string reason_against_log(const OldLog& log) {
  if (log.kind != RELKIND_RELATION && log.kind != RELKIND_PARTITIONED_TABLE)
    return "it is no table";
  if (find_column(log, LogColumn::kStatus) == nullptr &&
      find_column(log, LogColumn::kSuccess) == nullptr)
    // Without these columns the rows cannot be shown as runs.
    return "it has neither a column status of text nor success of boolean";
  if (find_column(log, LogColumn::kStarted) == nullptr)
    return "it has no column started_at or created_at of a time";
  return "";
}

// The result is inserted into a condition of the form `lower(status) IN (...)`.
std::string words_of(std::string_view status) {
  for (const auto& [own, words] : kWords) {
    if (own != status) continue;
    std::string list;
    for (std::size_t from = 1; from < words.size();) {
      const std::size_t to = words.find(' ', from);
      list += (list.empty() ? "'" : ", '") + std::string(words.substr(from, to - from)) + "'";
      from = to + 1;
    }
    return list;
  }
  return "";
}

std::string word_for(std::string_view status, const std::vector<std::string>& words) {
  for (const auto& [own, known] : kWords)
    if (own == status)
      for (const std::string& word : words)
        if (has_word(known, lower(word))) return word;
  return "";
}

}  // namespace metrics_refresh::store
