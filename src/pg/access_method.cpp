#include "pg/access_method.hpp"

namespace metrics_refresh::pg {

bool is_heap(Oid access_method) {
  // The usual case needs no lookup. Another access method may have the same handler.
  if (access_method == HEAP_TABLE_AM_OID) return true;
  const HeapTuple tuple = SearchSysCache1(AMOID, ObjectIdGetDatum(access_method));
  if (!HeapTupleIsValid(tuple)) return false;
  const bool answer =
      reinterpret_cast<Form_pg_am>(GETSTRUCT(tuple))->amhandler == F_HEAP_TABLEAM_HANDLER;
  ReleaseSysCache(tuple);
  return answer;
}

bool may_change_silently(Oid relation) {
  const HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
  if (!HeapTupleIsValid(tuple)) return false;
  const auto* const form = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple));
  const bool answer = form->relpersistence != RELPERSISTENCE_PERMANENT ||
                      (RELKIND_HAS_TABLE_AM(form->relkind) && !is_heap(form->relam));
  ReleaseSysCache(tuple);
  return answer;
}

}  // namespace metrics_refresh::pg
