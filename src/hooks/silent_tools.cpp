// A function is recognized by its C symbol. Extensions can be created in any schema, and functions
// can be renamed, but only a superuser can define a C function.
#include "hooks/silent_tools.hpp"

namespace metrics_refresh::hooks {
namespace {

bool is_silent(const char* symbol) {
  return strcmp(symbol, "heap_force_kill") == 0 || strcmp(symbol, "heap_force_freeze") == 0;
}

}  // namespace

bool changes_rows_silently(Oid function) {
  // Functions of the server itself are the most frequent ones and need no catalog lookup.
  if (function < FirstNormalObjectId) return false;
  const HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
  if (!HeapTupleIsValid(tuple)) return false;
  bool answer = false;
  bool is_null;
  (void)SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_probin, &is_null);
  if (!is_null) {  // the function is in a library
    const Datum symbol = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &is_null);
    answer = !is_null && is_silent(TextDatumGetCString(symbol));
  }
  ReleaseSysCache(tuple);
  return answer;
}

}  // namespace metrics_refresh::hooks
