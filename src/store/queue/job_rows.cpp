#include "store/queue/job_rows.hpp"

#include "store/queue/columns.hpp"

namespace metrics_refresh::store::queue {

Job job_of(const pg::Rows& rows, std::size_t row) {
  // In the order of JobColumn.
  static constexpr const char* kNames[kJobColumns] = {
      "id",          "created_at",   "type_id", "enqueued_by",  "version",    "attempts",
      "priority",    "crashes",      "flags",   "max_attempts", "run_at",     "batch",
      "unique_hash", "unique_until", "key",     "unique_key",   "last_error", "payload"};
  Datum values[kJobColumns];
  bool nulls[kJobColumns];
  for (int i = 0; i < kJobColumns; ++i) {
    const pg::Param value = rows.copied(row, kNames[i], CurrentMemoryContext);
    nulls[i] = value.is_null();
    values[i] = nulls[i] ? Datum{0} : value.datum();
  }
  return pg::call([&values, &nulls] { return read_columns(values, nulls); });
}

}  // namespace metrics_refresh::store::queue
