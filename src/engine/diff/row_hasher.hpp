// Hashes the content of rows, so that two can be compared by 16 bytes each: 128 bits of XXH3, keyed
// with random bytes of this run, so that nobody can prepare rows that collide. Equal means equal in
// every byte once values are out of TOAST and uncompressed; what is equal only to a type's operator
// (1.0 and 1.00) is different here, as it is to REFRESH … CONCURRENTLY.
//
// Plain data in the server's memory: its functions may raise errors and are called inside
// pg::call().
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

/// All that a row consists of, one column after the other.
struct RowImage {
  char* bytes;
  Size size;
  Size capacity;

  /// In the current context, which it stays in.
  void init();
};

/// REQUIRES: zeroed memory before init(), and the memory context of init() as long as it is used.
class RowHasher {
 public:
  void init();

  /// Of all columns of the slot. What it allocates to see a value is left in the current context.
  core::RowHash hash(TupleTableSlot* slot);

  /// Of these columns, in ascending order; of none, the same for every row.
  core::RowHash hash(TupleTableSlot* slot, const AttrNumber* columns, int count);

  /// What the last hash was made of.
  const RowImage& image() const { return image_; }

  /// Gives it away for another one, to be written over.
  void swap_image(RowImage& image) { std::swap(image_, image); }

  /// The row of the image, into a virtual slot; valid as long as the image and the current context.
  /// REQUIRES: it was made of all columns of a row of this type.
  static void restore(const RowImage& image, TupleTableSlot* slot);

 private:
  void make_room(Size size);
  void put(const void* bytes, Size size);
  void put_value(Form_pg_attribute attribute, Datum value);
  void put_column(TupleTableSlot* slot, int index);
  core::RowHash finish();

  RowImage image_;
  unsigned char secret_[192];
};

}  // namespace metrics_refresh::engine
