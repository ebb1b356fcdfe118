#include "engine/row_hasher.hpp"

// Compiled in, for speed; nothing to link.
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace metrics_refresh::engine {

void RowHasher::init() {
  if (!pg_strong_random(secret_, sizeof secret_))
    ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate random bytes")));
  capacity_ = 1024;
  image_ = static_cast<char*>(palloc(capacity_));
}

void RowHasher::put(const void* bytes, Size size) {
  if (size > capacity_ - size_) {
    while (size > capacity_ - size_) capacity_ *= 2;
    image_ = static_cast<char*>(repalloc_huge(image_, capacity_));
  }
  memcpy(image_ + size_, bytes, size);
  size_ += size;
}

void RowHasher::put_value(Form_pg_attribute attribute, Datum value) {
  if (attribute->attbyval) {
    // The value's own bytes: what a function leaves above them is not defined.
    char bytes[sizeof(Datum)];
    store_att_byval(bytes, value, attribute->attlen);
    put(bytes, static_cast<Size>(attribute->attlen));
  } else if (attribute->attlen > 0) {
    put(DatumGetPointer(value), static_cast<Size>(attribute->attlen));
  } else if (attribute->attlen == -1) {
    varlena* const plain = PG_DETOAST_DATUM_PACKED(value);
    const Size size = VARSIZE_ANY_EXHDR(plain);
    put(&size, sizeof size);
    put(VARDATA_ANY(plain), size);
  } else {
    const char* const text = DatumGetCString(value);
    put(text, strlen(text) + 1);
  }
}

void RowHasher::put_column(TupleTableSlot* slot, int index) {
  const char is_null = slot->tts_isnull[index] ? 1 : 0;
  put(&is_null, sizeof is_null);
  if (is_null == 0)
    put_value(TupleDescAttr(slot->tts_tupleDescriptor, index), slot->tts_values[index]);
}

core::RowHash RowHasher::finish() {
  const XXH128_hash_t hash = XXH3_128bits_withSecret(image_, size_, secret_, sizeof secret_);
  size_ = 0;
  return {hash.high64, hash.low64};
}

core::RowHash RowHasher::hash(TupleTableSlot* slot) {
  slot_getallattrs(slot);
  size_ = 0;
  for (int i = 0; i < slot->tts_tupleDescriptor->natts; ++i) put_column(slot, i);
  return finish();
}

core::RowHash RowHasher::hash(TupleTableSlot* slot, const AttrNumber* columns, int count) {
  if (count > 0) slot_getsomeattrs(slot, columns[count - 1]);
  size_ = 0;
  for (int i = 0; i < count; ++i) put_column(slot, columns[i] - 1);
  return finish();
}

}  // namespace metrics_refresh::engine
