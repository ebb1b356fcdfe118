// log_function_call(), the view edge_function_logs, and record_webhook(): callers report calls of
// functions outside the server, and webhooks that they received. EXECUTE, or INSERT on the view, is
// the right to write; the row belongs to its caller.
#include "core/text.hpp"

#include "store/function_log.hpp"

#include <cmath>

#include "api/arguments.hpp"
#include "api/new_row.hpp"
#include "api/shares.hpp"
#include "extension/own_schema.hpp"
#include "pg/time.hpp"

namespace metrics_refresh::api {
namespace {

using store::FunctionCall;
using store::LogLevel;

// In bytes. Longer messages and errors are cut, because a call must not be lost by its message.
constexpr std::int64_t kMaxName = 500;
constexpr std::int64_t kMaxDocument = 1024 * 1024;

std::string checked_name(const char* name, std::optional<std::string> value) {
  std::string text = Arguments::required(std::move(value), name);
  if (text.empty())
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, std::string(name) + " must not be empty");
  check_length(name, static_cast<std::int64_t>(text.size()), kMaxName);
  return text;
}

std::string checked_name_or_empty(const char* name, std::optional<std::string> value) {
  return value ? checked_name(name, std::move(value)) : std::string();
}

std::optional<double> checked_duration(std::optional<double> value) {
  if (value && !(std::isfinite(*value) && *value >= 0))
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE,
                       "duration_ms must be a finite number and not negative",
                       "It is the duration in milliseconds; NULL means that it is not known.");
  return value;
}

// The size before compression by the server.
pg::Param checked_document(const char* name, std::optional<Datum> value) {
  if (!value) return pg::Param::null(JSONBOID);
  const Datum document = *value;
  const auto size =
      pg::call([document] { return static_cast<std::int64_t>(toast_raw_datum_size(document)); });
  check_length(name, size, kMaxDocument);
  return pg::Param(JSONBOID, document);
}

bool is_failure(const std::string& status) {
  for (const char* const word : {"error", "failed", "failure", "timeout", "interrupted"})
    if (core::equal_ignoring_case(status, word)) return true;
  return false;
}

LogLevel level_of(const std::optional<std::string>& level, const std::string& status) {
  if (level) return store::from_argument<LogLevel>("level", *level);
  return is_failure(status) ? LogLevel::kError : LogLevel::kInfo;
}

store::LoggedCall log(const FunctionCall& call) {
  store::LoggedCall logged = {};
  extension::as_extension([&](pg::Spi& spi) { logged = store::log_function_call(spi, call); });
  return logged;
}

std::optional<Datum> datum_or_null(const Arguments& arguments, int n) {
  if (arguments.is_null(n)) return std::nullopt;
  return arguments.datum(n);
}

std::optional<double> get_float8(const Arguments& arguments, int n) {
  if (arguments.is_null(n)) return std::nullopt;
  return DatumGetFloat8(arguments.datum(n));
}

Datum log_function_call(FunctionCallInfo info) {
  const Arguments arguments(info);
  FunctionCall call;
  call.function_name = checked_name("function_name", arguments.get_text(0));
  call.status = checked_name("status", arguments.get_text(1));
  call.duration_ms = checked_duration(get_float8(arguments, 2));
  call.message = arguments.get_text(3).value_or("");
  call.context = checked_document("context", datum_or_null(arguments, 4));
  call.level = level_of(arguments.get_text(5), call.status);
  call.request_id = checked_name_or_empty("request_id", arguments.get_text(6));
  call.owner = GetUserId();
  return Int64GetDatum(log(call).id);
}

// The row that a statement inserts into the view edge_function_logs. Another view may have columns
// of other types.
NewRow inserted_row(FunctionCallInfo info) {
  constexpr char kRefusal[] =
      "the function may only be called as the trigger of edge_function_logs";
  if (!CALLED_AS_TRIGGER(info)) refuse_trigger_call(kRefusal);
  const auto* data = reinterpret_cast<TriggerData*>(info->context);
  const Oid view = RelationGetRelid(data->tg_relation);
  const bool ours = pg::call([view] {
    const Oid extension = getExtensionOfObject(RelationRelationId, view);
    return OidIsValid(extension) && extension == get_extension_oid("metrics_refresh", true);
  });
  if (!ours || !TRIGGER_FIRED_INSTEAD(data->tg_event) || !TRIGGER_FIRED_BY_INSERT(data->tg_event))
    refuse_trigger_call(kRefusal);
  NewRow row{false, nullptr, data->tg_trigtuple, RelationGetDescr(data->tg_relation)};
  if (!row.has("function_name")) refuse_trigger_call(kRefusal);
  return row;
}

// A caller that chooses the time of a row could hide it from the cleanup, and one that chooses the
// owner could show it to others.
void refuse_own_columns(const NewRow& row) {
  for (const char* const column : {"id", "created_at", "owner"})
    if (row.value(column))
      throw pg::SqlError(
          ERRCODE_FEATURE_NOT_SUPPORTED,
          "column \"" + std::string(column) + "\" of edge_function_logs cannot be chosen",
          "Leave it out; the extension fills it.");
}

Datum insert_into_view(FunctionCallInfo info) {
  NewRow row = inserted_row(info);
  refuse_own_columns(row);
  FunctionCall call;
  call.function_name = checked_name("function_name", row.text("function_name"));
  call.status = checked_name_or_empty("status", row.text("status"));
  call.level = level_of(row.text("level"), call.status);
  call.message = row.text("message").value_or("");
  call.sqlstate = checked_name_or_empty("sqlstate", row.text("sqlstate"));
  call.context = checked_document("context", row.value("context"));
  if (const auto job_id = row.value("job_id")) call.job_id = DatumGetInt64(*job_id);
  if (const auto attempt = row.value("attempt")) call.attempt = DatumGetInt32(*attempt);
  if (const auto duration = row.value("duration_ms"))
    call.duration_ms = checked_duration(DatumGetFloat8(*duration));
  call.request_id = checked_name_or_empty("request_id", row.text("request_id"));
  call.owner = GetUserId();
  const store::LoggedCall logged = log(call);
  // RETURNING shows them.
  row.set("id", Int64GetDatum(logged.id));
  row.set("level", text_result(store::to_text(call.level)));
  row.set("created_at", TimestampTzGetDatum(pg::to_timestamptz(logged.created_at)));
  return PointerGetDatum(row.row);
}

Datum record_webhook(FunctionCallInfo info) {
  const Arguments arguments(info);
  store::Webhook webhook;
  webhook.source = checked_name("source", arguments.get_text(0));
  webhook.event = checked_name("event", arguments.get_text(1));
  webhook.payload = checked_document("payload", datum_or_null(arguments, 2));
  webhook.error = arguments.get_text(5).value_or("");
  webhook.status = checked_name_or_empty("status", arguments.get_text(3));
  if (webhook.status.empty()) webhook.status = webhook.error.empty() ? "received" : "error";
  webhook.duration_ms = checked_duration(get_float8(arguments, 4));
  webhook.owner = GetUserId();
  std::int64_t id = 0;
  extension::as_extension([&](pg::Spi& spi) { id = store::record_webhook(spi, webhook); });
  return Int64GetDatum(id);
}

}  // namespace

MR_SQL_FUNCTION(mr_log_function_call, log_function_call);
MR_SQL_FUNCTION(mr_edge_function_logs_insert, insert_into_view);
MR_SQL_FUNCTION(mr_record_webhook, record_webhook);

}  // namespace metrics_refresh::api
