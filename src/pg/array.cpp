#include "pg/array.hpp"

namespace metrics_refresh::pg {

Elements elements_of(Datum array, Oid type, const char* name) {
  return call([=] {
    Elements found = {};
    ArrayType* const plain = DatumGetArrayTypeP(array);
    if (ARR_NDIM(plain) > 1)
      ereport(ERROR, errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
              errmsg("%s must have one dimension", name));
    int16 length;
    bool by_value;
    char align;
    get_typlenbyvalalign(type, &length, &by_value, &align);
    deconstruct_array(plain, type, length, by_value, align, &found.values, &found.nulls,
                      &found.count);
    return found;
  });
}

std::vector<std::int64_t> numbers_of(Datum array, const char* name) {
  const Elements elements = elements_of(array, INT8OID, name);
  std::vector<std::int64_t> numbers;
  for (int i = 0; i < elements.count; ++i) {
    if (elements.nulls[i])
      throw SqlError(ERRCODE_NULL_VALUE_NOT_ALLOWED, std::string(name) + " must not contain NULL");
    numbers.push_back(DatumGetInt64(elements.values[i]));
  }
  return numbers;
}

}  // namespace metrics_refresh::pg
