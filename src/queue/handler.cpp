#include "queue/handler.hpp"

#include "pg/rights_watch.hpp"
#include "pg/role.hpp"

namespace metrics_refresh::queue {

Handler::Handler(store::queue::Handler bound, Oid owner)
    : bound_(std::move(bound)), owner_(owner), memory_(pg::call([] {
        return AllocSetContextCreate(TopMemoryContext, "metrics_refresh handler",
                                     ALLOCSET_SMALL_SIZES);
      })) {}

Handler::~Handler() { MemoryContextDelete(memory_); }

void Handler::look_up() {
  function_.fn_oid = InvalidOid;
  MemoryContextReset(memory_);
  const std::uint64_t present = pg::rights_version();
  struct Found {
    Oid function;
    bool may_execute;
  };
  const store::queue::HandlerName name = bound_.bound_for(owner_);
  const Found found = pg::call([&name]() -> Found {
    const Oid function = store::queue::find_handler(name);
    return {function, OidIsValid(function) && pg::may_execute(function, GetUserId())};
  });
  if (!OidIsValid(found.function))
    throw pg::SqlError(ERRCODE_UNDEFINED_FUNCTION,
                       "the handler " + bound_.signature() + " does not exist",
                       "Create it again, or register another handler of the type.");
  if (!found.may_execute)
    throw pg::SqlError(ERRCODE_INSUFFICIENT_PRIVILEGE,
                       "permission denied for handler " + bound_.signature(),
                       "The owner of the job type needs EXECUTE on it.");
  pg::call([this, &found] { fmgr_info_cxt(found.function, &function_, memory_); });
  looked_up_at_ = present;
}

// An error may leave state in function_ that the function does not expect at its next call.
void Handler::call(const store::queue::Job& job) {
  if (!OidIsValid(function_.fn_oid) || looked_up_at_ != pg::rights_version()) look_up();
  const Oid function = std::exchange(function_.fn_oid, InvalidOid);
  pg::call([this, &job, function] {
    function_.fn_oid = function;
    const bool passes_id = bound_.passes_id;
    LOCAL_FCINFO(arguments, 2);
    InitFunctionCallInfoData(*arguments, &function_, passes_id ? 2 : 1, InvalidOid, nullptr,
                             nullptr);
    if (passes_id) arguments->args[0] = {Int64GetDatum(job.id), false};
    arguments->args[passes_id ? 1 : 0] = {JsonbPGetDatum(job.payload), false};
    InvokeFunctionExecuteHook(function);
    PgStat_FunctionCallUsage usage;
    pgstat_init_function_usage(arguments, &usage);
    (void)FunctionCallInvoke(arguments);
    pgstat_end_function_usage(&usage, true);
  });
}

}  // namespace metrics_refresh::queue
