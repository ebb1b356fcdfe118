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

/// REQUIRES: zeroed memory before init(), and the memory context of init() as long as it is used.
class RowHasher {
 public:
  void init();

  /// Of all columns of the slot. What it allocates to see a value is left in the current context.
  core::RowHash hash(TupleTableSlot* slot);

  /// Of these columns, in ascending order; of none, the same for every row.
  core::RowHash hash(TupleTableSlot* slot, const AttrNumber* columns, int count);

 private:
  void put(const void* bytes, Size size);
  void put_value(Form_pg_attribute attribute, Datum value);
  void put_column(TupleTableSlot* slot, int index);
  core::RowHash finish();

  char* image_;
  Size size_;
  Size capacity_;
  unsigned char secret_[192];
};

}  // namespace metrics_refresh::engine
