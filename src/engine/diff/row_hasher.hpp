// Hashes the contents of rows, so that two rows can be compared by 16 bytes. The hash is 128 bits
// of XXH3, keyed with random bytes of this run, so that rows with equal hashes cannot be prepared.
// Rows are equal if all their bytes are equal after detoasting and decompression. Values that are
// equal only by the operator of their type (1.0 and 1.00) count as different, as in REFRESH ...
// CONCURRENTLY.
//
// Plain data in the server's memory: the functions may raise errors, so call them inside
// pg::call().
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

/// The serialized columns of a row, one after the other.
struct RowImage {
  char* bytes = nullptr;
  Size size = 0;
  Size capacity = 0;

  /// Allocates in the current context.
  void init();
};

/// REQUIRES: the memory context of init() must live as long as the object.
class RowHasher {
 public:
  void init();

  /// Hashes all columns of the slot. Memory that is needed to detoast values stays allocated in the
  /// current context.
  core::RowHash hash(TupleTableSlot* slot);

  /// Hashes the given columns, which are in ascending order. Without columns, all rows have the
  /// same hash.
  core::RowHash hash(TupleTableSlot* slot, const AttrNumber* columns, int count);

  /// The image of the row that was hashed last.
  const RowImage& image() const { return image_; }

  /// Exchanges the image for another one, which will be overwritten.
  void swap_image(RowImage& image) { std::swap(image_, image); }

  /// Restores the row of the image into a virtual slot. The row is valid as long as the image and
  /// the current context. REQUIRES: the image was made of all columns of a row of this type.
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
