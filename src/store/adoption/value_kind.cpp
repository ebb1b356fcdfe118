// Only built-in types have a kind. Values of other types are not converted, because that would run
// code of their owners.
#include "store/adoption/value_kind.hpp"

namespace metrics_refresh::store {

ValueKind kind_of(Oid type) {
  switch (type) {
    case INT2OID:
    case INT4OID:
    case INT8OID:
    case NUMERICOID:
    case FLOAT4OID:
    case FLOAT8OID:
      return ValueKind::kNumber;
    case TEXTOID:
    case VARCHAROID:
    case BPCHAROID:
    case NAMEOID:
      return ValueKind::kText;
    case TIMESTAMPTZOID:
    case TIMESTAMPOID:
    case DATEOID:
      return ValueKind::kTime;
    case BOOLOID:
      return ValueKind::kBool;
    case JSONOID:
    case JSONBOID:
      return ValueKind::kJson;
    default:
      return ValueKind::kOther;
  }
}

bool can_be(ValueKind value, Oid type) {
  const ValueKind wanted = kind_of(type);
  // Every value can be written as text.
  return wanted != ValueKind::kOther && (wanted == value || wanted == ValueKind::kText);
}

}  // namespace metrics_refresh::store
