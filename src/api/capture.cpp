// The trigger function that captures keys of changed rows, for the strategy incremental. This file
// only checks the call; engine::capture_keys() does the work.
#include "engine/incremental/capture/capture.hpp"

#include "pg/guard.hpp"

namespace metrics_refresh::api {
namespace {

Datum capture_keys(FunctionCallInfo call) {
  const auto* data = reinterpret_cast<TriggerData*>(call->context);
  if (!CALLED_AS_TRIGGER(call) || !TRIGGER_FIRED_AFTER(data->tg_event) ||
      !TRIGGER_FIRED_FOR_STATEMENT(data->tg_event) || data->tg_trigger->tgnargs < 1)
    throw pg::SqlError(
        ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
        "the function is for AFTER triggers of statements that metrics_refresh makes");
  // One call for the whole trigger: it runs for every statement on a captured table, so its cost
  // counts.
  pg::call([data] { engine::capture_keys(data); });
  return Datum{0};
}

}  // namespace

MR_SQL_FUNCTION(mr_capture_keys, capture_keys);

}  // namespace metrics_refresh::api
