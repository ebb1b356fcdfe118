#include "engine/definition/functions.hpp"

namespace metrics_refresh::engine {

bool check_parts(Oid aggregate, check_function_callback checker, void* context) {
  // The server's own aggregates are marked with their true volatility.
  if (aggregate < FirstNormalObjectId) return false;
  const HeapTuple tuple = SearchSysCache1(AGGFNOID, ObjectIdGetDatum(aggregate));
  if (!HeapTupleIsValid(tuple)) return false;  // a window function
  const auto* const parts = reinterpret_cast<Form_pg_aggregate>(GETSTRUCT(tuple));
  bool found = false;
  for (const Oid part :
       {parts->aggtransfn, parts->aggfinalfn, parts->aggcombinefn, parts->aggserialfn,
        parts->aggdeserialfn, parts->aggmtransfn, parts->aggminvtransfn, parts->aggmfinalfn})
    found = found || checker(part, context);
  ReleaseSysCache(tuple);
  return found;
}

bool check_functions(Node* node, check_function_callback checker, void* context) {
  if (check_functions_in_node(node, checker, context)) return true;
  if (IsA(node, Aggref)) return check_parts(castNode(Aggref, node)->aggfnoid, checker, context);
  if (IsA(node, WindowFunc))
    return check_parts(castNode(WindowFunc, node)->winfnoid, checker, context);
  return false;
}

bool uses_text_search_object(Oid function) {
  Oid* types;
  int count;
  (void)get_func_signature(function, &types, &count);
  for (int i = 0; i < count; ++i)
    if (types[i] == REGCONFIGOID || types[i] == REGDICTIONARYOID) return true;
  return false;
}

// An update writes a new row with another xmin. The place of the row is needed as well, because one
// transaction can update it twice. PL/pgSQL detects changed functions in the same way.
void append_version(StringInfo text, HeapTuple row) {
  appendStringInfo(text, "%u:%u.%u ", HeapTupleHeaderGetRawXmin(row->t_data),
                   ItemPointerGetBlockNumberNoCheck(&row->t_self),
                   ItemPointerGetOffsetNumberNoCheck(&row->t_self));
}

void append_function(StringInfo text, Oid function) {
  if (function < FirstNormalObjectId) return;
  const HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
  if (!HeapTupleIsValid(tuple)) return;
  appendStringInfo(text, "%u:", function);
  append_version(text, tuple);
  const Oid language = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple))->prolang;
  ReleaseSysCache(tuple);
  // CREATE OR REPLACE LANGUAGE can change the handler.
  const HeapTuple row = SearchSysCache1(LANGOID, ObjectIdGetDatum(language));
  if (!HeapTupleIsValid(row)) return;
  append_version(text, row);
  ReleaseSysCache(row);
}

}  // namespace metrics_refresh::engine
