// The SQL function is_changed_key(), which conditions on keys with several columns use.
#include "engine/incremental/apply/key_set.hpp"
#include "pg/guard.hpp"

namespace metrics_refresh::api {
namespace {

// A condition calls this function with the same set for every row, so the check is done once for
// each call site. Any role may call the function with any arguments, so it must not trust them.
// Numbers of sets are not reused, and a stale mark can therefore not match another set.
engine::KeySet* checked_set(FunctionCallInfo call, int64 number) {
  void* const mark = reinterpret_cast<void*>(static_cast<std::intptr_t>(number));
  engine::KeySet* const set = engine::KeySet::find(number);
  if (set != nullptr && call->flinfo->fn_extra == mark) return set;
  bool fits = set != nullptr && call->nargs == set->column_count() + 1;
  for (int i = 1; fits && i < call->nargs; ++i)
    fits = get_fn_expr_argtype(call->flinfo, i) == set->column_type(i - 1);
  if (!fits)
    throw pg::SqlError(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                       "there is no such set of changed keys",
                       "The function is for the queries of incremental refreshes.");
  call->flinfo->fn_extra = mark;
  return set;
}

Datum is_changed_key(FunctionCallInfo call) {
  if (call->args[0].isnull)
    throw pg::SqlError(ERRCODE_NULL_VALUE_NOT_ALLOWED, "the set of changed keys must not be null");
  engine::KeySet* const set = checked_set(call, DatumGetInt64(call->args[0].value));
  // Arrays on the stack: this runs for every row.
  Datum values[FUNC_MAX_ARGS];
  bool nulls[FUNC_MAX_ARGS];
  for (int i = 1; i < call->nargs; ++i) {
    values[i - 1] = call->args[i].value;
    nulls[i - 1] = call->args[i].isnull;
  }
  return BoolGetDatum(pg::call([&] { return set->has(values, nulls); }));
}

}  // namespace

MR_SQL_FUNCTION(mr_is_changed_key, is_changed_key);

}  // namespace metrics_refresh::api
