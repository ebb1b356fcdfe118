#include "store/queue/segments.hpp"

#include <algorithm>

#include "pg/empty_table.hpp"
#include "pg/time.hpp"
#include "store/queue/ended.hpp"
#include "store/queue/tables.hpp"

// Why no job is lost: an enqueuer locks the child until its transaction ends, also if that is
// prepared. So while empty_segment() has its locks, each row is committed or aborted, and its
// snapshot, which is newer than the locks, sees all that are committed. Each mark is about one row
// of the same segment and is unique. So if there are as many marks as rows, all rows have ended.

namespace metrics_refresh::store::queue {
namespace {

Segment::State state_of(const std::string& word) {
  if (word == "free") return Segment::State::kFree;
  return word == "current" ? Segment::State::kCurrent : Segment::State::kSealed;
}

// Looks with a snapshot that is newer than the locks.
bool have_all_ended(Oid hot, Oid ended) {
  Snapshot const latest = RegisterSnapshot(GetLatestSnapshot());
  const bool equal = pg::count_rows(hot, latest) == pg::count_rows(ended, latest);
  UnregisterSnapshot(latest);
  return equal;
}

Emptied empty_tables_of(std::uint8_t segment) {
  const Oid emptied[] = {tables().hot[segment], tables().ended[segment], tables().claim[segment]};
  for (const Oid table : emptied)
    if (!OidIsValid(table) || !pg::lock_if_unused(table)) return Emptied::kInUse;
  if (!have_all_ended(emptied[0], emptied[1])) return Emptied::kNotEnded;
  pg::empty_tables(emptied, std::size(emptied));
  return Emptied::kEmptied;
}

}  // namespace

std::vector<Segment> read_segments(pg::Spi& spi) {
  const pg::Rows rows = spi.query(
      "SELECT segment::int8, state, opened_at, sealed_at"
      " FROM metrics_refresh_internal.queue_segment ORDER BY segment");
  std::vector<Segment> segments;
  for (std::size_t i = 0; i < rows.size(); ++i)
    segments.push_back({static_cast<std::uint8_t>(rows.get_int64(i, "segment")),
                        state_of(rows.get_text(i, "state")),
                        pg::to_timestamptz(rows.get_instant_or_null(i, "opened_at")),
                        pg::to_timestamptz(rows.get_instant_or_null(i, "sealed_at"))});
  return segments;
}

void open_segment(pg::Spi& spi, std::uint8_t next, TimestampTz now) {
  const pg::Param time(TIMESTAMPTZOID, TimestampTzGetDatum(now));
  (void)spi.query(
      "UPDATE metrics_refresh_internal.queue_segment SET state = 'sealed', sealed_at = $1"
      " WHERE state = 'current'",
      {time});
  (void)spi.query(
      "UPDATE metrics_refresh_internal.queue_segment"
      " SET state = 'current', opened_at = $1, sealed_at = NULL WHERE segment = $2",
      {time, static_cast<std::int64_t>(next)});
}

Emptied empty_segment(pg::Spi& spi, std::uint8_t segment) {
  const Emptied result = pg::call([segment] { return empty_tables_of(segment); });
  if (result == Emptied::kEmptied)
    (void)spi.query(
        "UPDATE metrics_refresh_internal.queue_segment"
        " SET state = 'free', opened_at = NULL, sealed_at = NULL WHERE segment = $1",
        {static_cast<std::int64_t>(segment)});
  return result;
}

std::vector<Unended> copy_forward(const Place* places, std::size_t count, std::uint8_t to,
                                  Snapshot snapshot) {
  std::vector<Job> jobs(count);
  jobs.resize(read_jobs(places, count, snapshot, jobs.data()));
  mark_ended(jobs.data(), jobs.size());
  for (Job& job : jobs) job.version = next_version(job.version);
  append_jobs(to, jobs.data(), jobs.size());
  std::vector<Unended> moved;
  for (const Job& job : jobs) moved.push_back(unended_of(job));
  return moved;
}

std::optional<BlockingSession> blocking_session(pg::Spi& spi, std::uint8_t segment) {
  const Oid hot = pg::call([segment] { return tables().hot[segment]; });
  const pg::Rows rows = spi.query(
      "SELECT coalesce(l.pid, 0)::int8 AS pid, coalesce(a.xact_start, x.prepared) AS since"
      " FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a USING (pid)"
      " LEFT JOIN pg_catalog.pg_prepared_xacts x"
      " ON l.pid IS NULL AND l.virtualtransaction = '-1/' || x.transaction::text"
      " WHERE l.locktype = 'relation' AND l.relation = $1 AND l.granted AND l.database ="
      " (SELECT d.oid FROM pg_catalog.pg_database d"
      "  WHERE d.datname = pg_catalog.current_database())"
      " AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid() ORDER BY since NULLS LAST LIMIT 1",
      {pg::Param::oid(hot)});
  if (rows.empty()) return std::nullopt;
  return BlockingSession{static_cast<int>(rows.get_int64(0, "pid")),
                         pg::to_timestamptz(rows.get_instant_or_null(0, "since"))};
}

}  // namespace metrics_refresh::store::queue
