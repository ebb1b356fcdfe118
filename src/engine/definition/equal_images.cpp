#include "engine/definition/equal_images.hpp"

namespace metrics_refresh::engine {

bool has_equal_images(Oid type, Oid collation) {
  const Oid operators = GetDefaultOpClass(type, BTREE_AM_OID);
  if (!OidIsValid(operators)) return false;
  const Oid input = get_opclass_input_type(operators);
  // What says yes for these means one index alone: blanks at the end of a char(n) do not count, and
  // before 15.5 it was not seen that 24 hours are a day.
  if (input == BPCHAROID || input == INTERVALOID) return false;
  const Oid function =
      get_opfamily_proc(get_opclass_family(operators), input, input, BTEQUALIMAGE_PROC);
  return OidIsValid(function) &&
         DatumGetBool(OidFunctionCall1Coll(function, collation, ObjectIdGetDatum(input)));
}

}  // namespace metrics_refresh::engine
