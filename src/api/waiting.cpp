#include "api/waiting.hpp"

#include <algorithm>

namespace metrics_refresh::api {

std::optional<core::Instant> give_up_time(const Arguments& arguments, int n) {
  if (arguments.is_null(n)) return std::nullopt;
  const Datum interval = arguments.datum(n);
  return pg::to_instant(pg::call([interval] {
    return DatumGetTimestampTz(DirectFunctionCall2(
        timestamptz_pl_interval, TimestampTzGetDatum(GetCurrentTimestamp()), interval));
  }));
}

std::optional<long> sleep_length(const std::optional<core::Instant>& give_up_at,
                                 std::int64_t most) {
  if (give_up_at) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*give_up_at - pg::now()).count();
    if (left <= 0) return std::nullopt;
    most = std::min<std::int64_t>(most, left);
  }
  return static_cast<long>(most);
}

bool is_in_transaction(FunctionCallInfo call) noexcept {
  return call->context == nullptr || !IsA(call->context, CallContext) ||
         castNode(CallContext, call->context)->atomic;
}

void commit_procedure() {
  pg::call([] { SPI_commit(); });
}

}  // namespace metrics_refresh::api
