#include "store/queue/batches.hpp"

#include "pg/append_rows.hpp"
#include "pg/time.hpp"
#include "store/queue/tables.hpp"

namespace metrics_refresh::store::queue {
namespace {

const std::string kTable = "metrics_refresh_internal.queue_batch";
constexpr char kColumns[] = "id, created_at, type_id::int8, enqueued_by, is_open, payload";

const Jsonb* jsonb_of(const pg::Param& value) {
  return pg::call([&value]() -> const Jsonb* { return DatumGetJsonbP(value.datum()); });
}

std::optional<Batch> batch_of(const pg::Rows& rows) {
  if (rows.empty()) return std::nullopt;
  Batch batch;
  batch.id = rows.get_int64(0, "id");
  batch.created_at = pg::to_timestamptz(rows.get_instant(0, "created_at"));
  batch.type = static_cast<TypeId>(rows.get_int64(0, "type_id"));
  batch.enqueued_by = rows.get_oid(0, "enqueued_by");
  batch.is_open = rows.get_bool(0, "is_open");
  batch.payload = jsonb_of(rows.copied(0, "payload", CurrentMemoryContext));
  return batch;
}

// The rows of one child that belong to the batch and have no end mark.
std::string open_jobs_in(int segment) {
  const std::string child = std::to_string(segment);
  return "(SELECT count(*) FROM metrics_refresh_internal.queue_hot_" + child +
         " h WHERE batch = $1 AND NOT EXISTS (SELECT FROM metrics_refresh_internal.queue_ended_" +
         child + " e WHERE e.id = h.id AND e.version = h.version))";
}

}  // namespace

void insert_batch(const Batch& batch) {
  pg::call([&batch] {
    pg::Appender table;
    open_queue_appender(&table, tables().batch);
    Datum values[] = {Int64GetDatum(batch.id),     TimestampTzGetDatum(batch.created_at),
                      Int32GetDatum(batch.type),   ObjectIdGetDatum(batch.enqueued_by),
                      BoolGetDatum(batch.is_open), PointerGetDatum(batch.payload)};
    bool nulls[std::size(values)] = {};
    (void)pg::append_row(table, values, nulls);
    pg::close_appender(table);
  });
}

std::optional<Batch> read_batch(pg::Spi& spi, JobNumber id) {
  return batch_of(
      spi.query("SELECT " + std::string(kColumns) + " FROM " + kTable + " WHERE id = $1", {id}));
}

std::optional<Job> future_callback(pg::Spi& spi, JobNumber id, Snapshot snapshot) {
  const pg::Rows rows = spi.query_at(
      snapshot, "SELECT type_id::int8, enqueued_by FROM " + kTable + " WHERE id = $1", {id});
  if (rows.empty()) return std::nullopt;
  Job job;
  job.id = id;
  job.type = static_cast<TypeId>(rows.get_int64(0, "type_id"));
  job.enqueued_by = rows.get_oid(0, "enqueued_by");
  return job;
}

bool close_batch(pg::Spi& spi, JobNumber id) {
  return !spi.query(
                 "UPDATE " + kTable + " SET is_open = false WHERE id = $1 AND is_open RETURNING id",
                 {id})
              .empty();
}

std::optional<Batch> take_closed_batch(pg::Spi& spi, JobNumber id) {
  return batch_of(
      spi.query("DELETE FROM " + kTable + " WHERE id IN (SELECT id FROM " + kTable +
                    " WHERE id = $1 AND NOT is_open FOR UPDATE SKIP LOCKED) RETURNING " + kColumns,
                {id}));
}

std::vector<std::int64_t> read_batches(pg::Spi& spi, JobNumber after, std::size_t most) {
  const pg::Rows rows =
      spi.query("SELECT id FROM " + kTable + " WHERE id > $1 AND NOT is_open ORDER BY id LIMIT $2",
                {after, static_cast<std::int64_t>(most)});
  std::vector<std::int64_t> ids;
  for (std::size_t i = 0; i < rows.size(); ++i) ids.push_back(rows.get_int64(i, "id"));
  return ids;
}

std::int64_t count_open_jobs(pg::Spi& spi, JobNumber batch) {
  std::string sql =
      "SELECT (SELECT count(*) FROM metrics_refresh_internal.queue_later WHERE batch = $1)";
  for (int segment = 0; segment < kSegments; ++segment) sql += " + " + open_jobs_in(segment);
  return spi.query(sql + " AS open_jobs", {batch}).get_int64(0, "open_jobs");
}

}  // namespace metrics_refresh::store::queue
