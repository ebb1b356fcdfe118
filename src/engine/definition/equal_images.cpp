#include "engine/definition/equal_images.hpp"

namespace metrics_refresh::engine {

bool has_equal_images(Oid type, Oid collation) {
  const Oid operators = GetDefaultOpClass(type, BTREE_AM_OID);
  if (!OidIsValid(operators)) return false;
  const Oid input = get_opclass_input_type(operators);
  // For these types the server's function answers only for its use in one index. Trailing blanks of
  // char(n) are not significant. Before PostgreSQL 15.5 the function overlooked that 24 hours equal
  // a day.
  if (input == BPCHAROID || input == INTERVALOID) return false;
  const Oid function =
      get_opfamily_proc(get_opclass_family(operators), input, input, BTEQUALIMAGE_PROC);
  return OidIsValid(function) &&
         DatumGetBool(OidFunctionCall1Coll(function, collation, ObjectIdGetDatum(input)));
}

}  // namespace metrics_refresh::engine
