// The words that stand for enum values in columns and arguments. They are read and written here;
// other code uses the enums.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "pg/guard.hpp"
#include "store/strategies.hpp"

namespace metrics_refresh::store {

/// The column run_log.status. A run that is only requested is kQueued.
enum class RunStatus { kQueued, kRunning, kSuccess, kError, kSkipped, kCanceled, kInterrupted };

/// The column group_run_member.state, when the member has ended.
enum class MemberState { kSuccess, kFailed, kSkipped, kCanceled };

/// The column job.isolation.
enum class Isolation { kReadCommitted, kRepeatableRead };

template <typename T>
struct Word {
  T value;
  const char* text;
  bool is_argument = true;  // callers may use it
};

/// `all` has the words of T, in the order in which hints list them. Specialized for each enum.
template <typename T>
struct WordsOf;

template <>
struct WordsOf<Strategy> {
  static constexpr Word<Strategy> all[] = {
      {Strategy::kAuto, "auto"},
#define STRATEGY(name, word, traits) \
  {Strategy::k##name, word, has_trait(Strategy::k##name, kAskable)},
      METRICS_REFRESH_STRATEGIES(STRATEGY)
#undef STRATEGY
          {Strategy::kCommand, "command", false},
      {Strategy::kGroup, "group", false},
  };
};

template <>
struct WordsOf<RunStatus> {
  static constexpr Word<RunStatus> all[] = {
      {RunStatus::kQueued, "queued"},           {RunStatus::kRunning, "running"},
      {RunStatus::kSuccess, "success"},         {RunStatus::kError, "error"},
      {RunStatus::kSkipped, "skipped"},         {RunStatus::kCanceled, "canceled"},
      {RunStatus::kInterrupted, "interrupted"},
  };
};

template <>
struct WordsOf<MemberState> {
  static constexpr Word<MemberState> all[] = {
      {MemberState::kSuccess, "success"},
      {MemberState::kFailed, "failed"},
      {MemberState::kSkipped, "skipped"},
      {MemberState::kCanceled, "canceled"},
  };
};

template <>
struct WordsOf<Isolation> {
  static constexpr Word<Isolation> all[] = {
      {Isolation::kReadCommitted, "read_committed"},
      {Isolation::kRepeatableRead, "repeatable_read"},
  };
};

template <typename T>
constexpr const char* to_text(T value) {
  for (const Word<T>& word : WordsOf<T>::all)
    if (word.value == value) return word.text;
  return "";
}

/// Nothing if no value has this word.
template <typename T>
std::optional<T> find_value(std::string_view text) {
  for (const Word<T>& word : WordsOf<T>::all)
    if (word.text == text) return word.value;
  return std::nullopt;
}

/// For a column whose table allows no other words. Throws SqlError XX001 for any other word.
template <typename T>
T from_column(const std::string& text) {
  if (const std::optional<T> value = find_value<T>(text)) return *value;
  throw pg::SqlError(ERRCODE_DATA_CORRUPTED,
                     "\"" + text + "\" in a table of metrics_refresh is not known",
                     "The installed library may be older than the extension in the database.");
}

/// For the argument `name` of an SQL function. Throws SqlError 22023 for a word that callers may
/// not use.
template <typename T>
T from_argument(const char* name, const std::string& text) {
  std::string allowed;
  const char* last = nullptr;
  for (const Word<T>& word : WordsOf<T>::all) {
    if (!word.is_argument) continue;
    if (word.text == text) return word.value;
    if (last != nullptr) allowed += (allowed.empty() ? "" : ", ") + std::string(last);
    last = word.text;
  }
  throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE,
                     std::string(name) + " \"" + text + "\" is not known",
                     "Allowed are " + allowed + " and " + last + ".");
}

}  // namespace metrics_refresh::store
