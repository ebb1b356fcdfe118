#include "store/queue/find.hpp"

#include "pg/time.hpp"
#include "shmem/queue/status.hpp"
#include "store/queue/hot.hpp"
#include "store/queue/job_rows.hpp"
#include "store/queue/unique_hot.hpp"

// Segments are read without SQL: most are empty, and a statement over all of them would open and
// lock each table and index. The other tables are read by one statement each.

namespace metrics_refresh::store::queue {
namespace {

bool find_hot(JobNumber id, Snapshot snapshot, FoundJob* found) {
  for (std::uint8_t segment = 0; segment < kSegments; ++segment) {
    if (segment_bytes(segment) == 0) continue;
    const std::optional<Job> job = read_job({id, {}, segment}, snapshot);
    if (!job) continue;
    found->where = Where::kHot;
    found->job = *job;
    return true;
  }
  return false;
}

bool find_later(pg::Spi& spi, JobNumber id, Snapshot snapshot, FoundJob* found) {
  const pg::Rows rows = spi.query_at(snapshot,
                                     std::string("SELECT ") + kJobColumnList +
                                         " FROM metrics_refresh_internal.queue_later WHERE id = $1",
                                     {id});
  if (rows.empty()) return false;
  found->where = Where::kLater;
  found->job = job_of(rows, 0);
  return true;
}

bool find_stopped(pg::Spi& spi, JobNumber id, Snapshot snapshot, FoundJob* found) {
  const pg::Rows rows =
      spi.query_at(snapshot,
                   std::string("SELECT ") + kJobColumnList +
                       ", status = 'd' AS is_dead"
                       " FROM metrics_refresh_internal.queue_stopped WHERE id = $1",
                   {id});
  if (rows.empty()) return false;
  found->where = Where::kStopped;
  found->job = job_of(rows, 0);
  found->status = rows.get_bool(0, "is_dead") ? StopStatus::kDead : StopStatus::kCanceled;
  return true;
}

bool find_completed(pg::Spi& spi, JobNumber id, Snapshot snapshot, FoundJob* found) {
  const pg::Rows rows =
      spi.query_at(snapshot,
                   "SELECT type_id::int8, enqueued_by, batch"
                   " FROM metrics_refresh_internal.queue_history WHERE id = $1 LIMIT 1",
                   {id});
  if (rows.empty()) return false;
  found->where = Where::kHistory;
  found->job.id = id;
  found->job.type = static_cast<TypeId>(rows.get_int64(0, "type_id"));
  found->job.enqueued_by = rows.get_oid(0, "enqueued_by");
  found->job.batch = rows.get_int64_or_null(0, "batch");
  return true;
}

// A search by unique key.
struct UniqueSearch {
  TypeId type;
  std::int64_t hash;
  const text* key;
  std::uint16_t states;
  TimestampTz now;
  std::optional<UniqueJob> found;

  UniqueState state_of_hot(const Job& job) const noexcept {
    // In the usual case it makes no difference.
    if ((states & kUnendedStates) != kUnendedStates && shmem::queue::is_processing(job.id))
      return kProcessing;
    return job.has(kHasFailed) ? kFailed : kPending;
  }
  void look_at(JobNumber id, UniqueState state, std::optional<TimestampTz> until) {
    if ((states & state) != 0 || (until && *until > now)) found = UniqueJob{id, state};
  }
};

bool look_at_hot(void* context, const Job& job) {
  auto& search = *static_cast<UniqueSearch*>(context);
  const bool is_same = job.type == search.type && job.unique_key != nullptr &&
                       DatumGetBool(DirectFunctionCall2Coll(texteq, DEFAULT_COLLATION_OID,
                                                            PointerGetDatum(job.unique_key),
                                                            PointerGetDatum(search.key)));
  if (is_same) search.look_at(job.id, search.state_of_hot(job), job.unique_until);
  return search.found.has_value();
}

void look_at_rows(UniqueSearch& search, const pg::Rows& rows) {
  for (std::size_t i = 0; i < rows.size() && !search.found; ++i) {
    search.look_at(rows.get_int64(i, "id"), static_cast<UniqueState>(rows.get_int64(i, "state")),
                   pg::to_timestamptz(rows.get_instant_or_null(i, "unique_until")));
  }
}

// `$1` is the hash, `$2` the key, `$3` the type.
std::string unique_rows(const char* table, const char* state) {
  return std::string("SELECT id, unique_until, ") + state +
         " AS state FROM metrics_refresh_internal." + table +
         " WHERE unique_hash = $1 AND unique_key = $2 AND type_id = $3";
}

void look_in_tables(pg::Spi& spi, UniqueSearch& search, bool with_completed, Snapshot snapshot) {
  const std::vector<pg::Param> params = {search.hash,
                                         pg::Param(TEXTOID, PointerGetDatum(search.key)),
                                         static_cast<std::int64_t>(search.type)};
  look_at_rows(
      search,
      spi.query_at(
          snapshot,
          unique_rows("queue_later", "CASE flags & 1 WHEN 0 THEN 1 ELSE 4 END::int8") +
              " UNION ALL " +
              unique_rows("queue_stopped", "CASE status WHEN 'd' THEN 16 ELSE 32 END::int8"),
          params));
  if (!search.found && (with_completed || (search.states & kCompleted) != 0))
    look_at_rows(search, spi.query_at(snapshot, unique_rows("queue_history", "8::int8"), params));
}

}  // namespace

std::optional<UniqueJob> find_unique(pg::Spi& spi, TypeId type, std::int64_t hash,
                                     const text* unique_key, std::uint16_t states,
                                     bool with_completed, TimestampTz now, Snapshot snapshot) {
  UniqueSearch search = {type, hash, unique_key, states, now, std::nullopt};
  visit_unique_hot(hash, snapshot, look_at_hot, &search);
  if (!search.found) look_in_tables(spi, search, with_completed, snapshot);
  return search.found;
}

FoundJob find_job(pg::Spi& spi, JobNumber id, Snapshot snapshot, bool with_history) {
  FoundJob found;
  if (find_hot(id, snapshot, &found) || find_later(spi, id, snapshot, &found) ||
      find_stopped(spi, id, snapshot, &found))
    return found;
  if (with_history) (void)find_completed(spi, id, snapshot, &found);
  return found;
}

}  // namespace metrics_refresh::store::queue
