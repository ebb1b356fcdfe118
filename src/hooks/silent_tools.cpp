#include "hooks/silent_tools.hpp"

namespace metrics_refresh::hooks {
namespace {

// By the name in the library, which nobody can change.
bool is_silent(const char* symbol) {
  return strcmp(symbol, "heap_force_kill") == 0 || strcmp(symbol, "heap_force_freeze") == 0;
}

}  // namespace

bool changes_rows_silently(Oid function) {
  if (function < FirstNormalObjectId) return false;
  const HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
  if (!HeapTupleIsValid(tuple)) return false;
  bool answer = false;
  bool is_null;
  (void)SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_probin, &is_null);
  if (!is_null) {  // it is in a library
    const Datum symbol = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &is_null);
    answer = !is_null && is_silent(TextDatumGetCString(symbol));
  }
  ReleaseSysCache(tuple);
  return answer;
}

}  // namespace metrics_refresh::hooks
