// The rows of edge_function_logs, and those of webhook_log. A row belongs to one role, whose
// members see it.
#pragma once

#include <optional>
#include <string>

#include "pg/spi.hpp"
#include "store/words.hpp"

namespace metrics_refresh::store {

/// The column edge_function_log.level.
enum class LogLevel { kDebug, kInfo, kWarning, kError };

template <>
struct WordsOf<LogLevel> {
  static constexpr Word<LogLevel> all[] = {{LogLevel::kDebug, "debug"},
                                           {LogLevel::kInfo, "info"},
                                           {LogLevel::kWarning, "warning"},
                                           {LogLevel::kWarning, "warn"},  // the console's word
                                           {LogLevel::kError, "error"}};
};

/// A call of an edge function, as its caller reports it. The log keeps the first 8 kB of the
/// message.
struct FunctionCall {
  std::string function_name;
  LogLevel level = LogLevel::kInfo;
  std::string status;
  std::string message;
  std::string sqlstate;
  std::string request_id;
  pg::Param context = pg::Param::null(JSONBOID);
  std::optional<std::int64_t> job_id;
  std::optional<std::int64_t> attempt;
  std::optional<double> duration_ms;
  Oid owner = InvalidOid;
};

/// An incoming webhook.
struct Webhook {
  std::string source;
  std::string event;
  pg::Param payload = pg::Param::null(JSONBOID);
  std::string status;
  std::string error;
  std::optional<double> duration_ms;
  Oid owner = InvalidOid;
};

struct LoggedCall {
  std::int64_t id;
  core::Instant created_at;
};

/// The failure whose trigger on_job_failure is being executed.
struct LoggedFailure {
  std::int64_t id;  // of job_failure
  std::optional<std::int64_t> job_id;
  int attempt;
  std::string sqlstate;
  Oid owner;
};

/// While it exists, the rows of log_function_call() belong to this failure: they get its owner and
/// its numbers.
class FailureScope {
 public:
  explicit FailureScope(const LoggedFailure& failure);
  ~FailureScope();
  FailureScope(const FailureScope&) = delete;
  FailureScope& operator=(const FailureScope&) = delete;

  static bool is_open() noexcept;
};

/// REQUIRES for both: inside extension::as_extension().
LoggedCall log_function_call(pg::Spi& spi, const FunctionCall& call);
std::int64_t record_webhook(pg::Spi& spi, const Webhook& webhook);

/// Deletes the rows of failures, function calls and webhooks that were written before `limit`, in
/// batches.
void remove_old_logs(pg::Spi& spi, core::Instant limit);

}  // namespace metrics_refresh::store
