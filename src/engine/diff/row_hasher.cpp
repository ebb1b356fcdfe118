#include "engine/diff/row_hasher.hpp"

// XXH_INLINE_ALL compiles the library into this file, so nothing needs to be linked.
#define XXH_INLINE_ALL
#include <xxhash.h>

// A row is first serialized into an image: for each column a NULL flag, then the bytes of the
// value. A value of variable length is preceded by its size, so two different rows cannot have the
// same image. The hash is computed from the image. restore() reads the image back, so a caller can
// keep a row without copying the slot.

namespace metrics_refresh::engine {
namespace {

template <typename Value>
Value read_as(const char* from) {
  Value value;
  memcpy(&value, from, sizeof value);
  return value;
}

// Reads the value that RowHasher::put_value() wrote at `*at`, and advances `*at`.
Datum read_value(Form_pg_attribute attribute, const char** at) {
  const char* const from = *at;
  if (attribute->attbyval) {
    *at += attribute->attlen;
    switch (attribute->attlen) {
      case sizeof(char):
        return CharGetDatum(*from);
      case sizeof(int16):
        return Int16GetDatum(read_as<int16>(from));
      case sizeof(int32):
        return Int32GetDatum(read_as<int32>(from));
      default:
        return read_as<Datum>(from);
    }
  }
  if (attribute->attlen > 0) {
    // The image is not aligned.
    void* const aligned = palloc(static_cast<Size>(attribute->attlen));
    memcpy(aligned, from, static_cast<Size>(attribute->attlen));
    *at += attribute->attlen;
    return PointerGetDatum(aligned);
  }
  if (attribute->attlen == -1) {
    const auto size = read_as<Size>(from);
    auto* const plain = static_cast<char*>(palloc(size + VARHDRSZ));
    SET_VARSIZE(plain, size + VARHDRSZ);
    memcpy(VARDATA(plain), from + sizeof size, size);
    *at += sizeof size + size;
    return PointerGetDatum(plain);
  }
  *at += strlen(from) + 1;
  return CStringGetDatum(from);
}

}  // namespace

void RowImage::init() {
  capacity = 1024;
  bytes = static_cast<char*>(palloc(capacity));
}

void RowHasher::init() {
  // A role could otherwise insert rows with equal hashes, and a changed row would be taken for
  // unchanged.
  if (!pg_strong_random(secret_, sizeof secret_))
    ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate random bytes")));
  image_.init();
}

void RowHasher::make_room(Size size) {
  if (size <= image_.capacity - image_.size) return;
  while (size > image_.capacity - image_.size) image_.capacity *= 2;
  // An image can exceed the 1 GB limit of repalloc().
  image_.bytes = static_cast<char*>(repalloc_huge(image_.bytes, image_.capacity));
}

void RowHasher::put(const void* bytes, Size size) {
  make_room(size);
  memcpy(image_.bytes + image_.size, bytes, size);
  image_.size += size;
}

void RowHasher::put_value(Form_pg_attribute attribute, Datum value) {
  if (attribute->attbyval) {
    // Only the value's own bytes are hashed: the upper bytes of a Datum may be undefined.
    char bytes[sizeof(Datum)];
    store_att_byval(bytes, value, attribute->attlen);
    // Space for a whole Datum, so that a copy of constant size can be used.
    make_room(sizeof bytes);
    memcpy(image_.bytes + image_.size, bytes, sizeof bytes);
    image_.size += static_cast<Size>(attribute->attlen);
  } else if (attribute->attlen > 0) {
    put(DatumGetPointer(value), static_cast<Size>(attribute->attlen));
  } else if (attribute->attlen == -1) {
    // Detoasting gives equal bytes for equal values, no matter how they are stored.
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
  const XXH128_hash_t hash =
      XXH3_128bits_withSecret(image_.bytes, image_.size, secret_, sizeof secret_);
  return {hash.high64, hash.low64};
}

core::RowHash RowHasher::hash(TupleTableSlot* slot) {
  slot_getallattrs(slot);
  image_.size = 0;
  for (int i = 0; i < slot->tts_tupleDescriptor->natts; ++i) put_column(slot, i);
  return finish();
}

core::RowHash RowHasher::hash(TupleTableSlot* slot, const AttrNumber* columns, int count) {
  if (count > 0) slot_getsomeattrs(slot, columns[count - 1]);
  image_.size = 0;
  for (int i = 0; i < count; ++i) put_column(slot, columns[i] - 1);
  return finish();
}

void RowHasher::restore(const RowImage& image, TupleTableSlot* slot) {
  ExecClearTuple(slot);
  const char* at = image.bytes;
  for (int i = 0; i < slot->tts_tupleDescriptor->natts; ++i) {
    slot->tts_isnull[i] = *at++ != 0;
    if (!slot->tts_isnull[i])
      slot->tts_values[i] = read_value(TupleDescAttr(slot->tts_tupleDescriptor, i), &at);
  }
  ExecStoreVirtualTuple(slot);
}

}  // namespace metrics_refresh::engine
