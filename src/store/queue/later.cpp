#include "store/queue/later.hpp"

#include <algorithm>

#include "pg/append_rows.hpp"
#include "pg/table_growth.hpp"
#include "pg/time.hpp"
#include "store/queue/columns.hpp"
#include "store/queue/ended.hpp"
#include "store/queue/job_rows.hpp"
#include "store/queue/tables.hpp"

namespace metrics_refresh::store::queue {
namespace {

const std::string kTable = "metrics_refresh_internal.queue_later";

pg::Param time_param(TimestampTz time) {
  return pg::Param(TIMESTAMPTZOID, TimestampTzGetDatum(time));
}

struct Due {
  std::vector<Job> jobs, without_type;
};

// The rows are deleted and returned by one statement, which advances the cursor.
Due take_due(pg::Spi& spi, DueCursor& cursor, TimestampTz now, std::size_t most) {
  const pg::Rows rows = spi.query(
      "DELETE FROM " + kTable + " USING (SELECT id AS due_id FROM " + kTable +
          " WHERE waits = 0 AND (run_at, id) > ($1, $2) AND run_at <= $3 ORDER BY run_at, id"
          " LIMIT $4 FOR UPDATE SKIP LOCKED) d WHERE id = due_id RETURNING " +
          kJobColumnList +
          ", EXISTS (SELECT FROM metrics_refresh_internal.job_type t WHERE t.id = type_id)"
          " AS has_type",
      {time_param(cursor.run_at), cursor.id, time_param(now), static_cast<std::int64_t>(most)});
  Due due;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Job job = job_of(rows, i);
    if (std::pair(*job.run_at, job.id) > std::pair(cursor.run_at, cursor.id))
      cursor = {*job.run_at, job.id};
    (rows.get_bool(i, "has_type") ? due.jobs : due.without_type).push_back(job);
  }
  return due;
}

}  // namespace

void insert_later(const Job* jobs, std::size_t count, std::int16_t waits) {
  pg::call([=] {
    pg::Appender later;
    open_queue_appender(&later, tables().later);
    pg::append_all(
        later, count,
        [=](std::size_t i, Datum* values, bool* nulls) {
          fill_columns(jobs[i], values, nulls);
          values[kWaits] = Int16GetDatum(waits);
          nulls[kWaits] = false;
        },
        [](std::size_t, const ItemPointerData&) {});
    pg::replan_if_grown(later.table);
    pg::close_appender(later);
  });
}

DueJobs move_due(pg::Spi& spi, std::uint8_t segment, DueCursor& cursor, TimestampTz now,
                 std::size_t most) {
  Due due = take_due(spi, cursor, now, most);
  DueJobs result;
  result.is_more = due.jobs.size() + due.without_type.size() == most;
  for (const Job& job : due.without_type) {
    stop_without_type(job, now);
    result.dead.push_back(unended_of(job));
  }
  std::sort(due.jobs.begin(), due.jobs.end(),
            [](const Job& a, const Job& b) { return a.id < b.id; });
  for (Job& job : due.jobs) job.version = next_version(job.version);
  append_jobs(segment, due.jobs.data(), due.jobs.size());
  for (const Job& job : due.jobs) result.moved.push_back(unended_of(job));
  return result;
}

std::optional<TimestampTz> next_due(pg::Spi& spi, const DueCursor& cursor) {
  const pg::Rows rows =
      spi.query("SELECT run_at FROM " + kTable +
                    " WHERE waits = 0 AND (run_at, id) > ($1, $2) ORDER BY run_at, id LIMIT 1",
                {time_param(cursor.run_at), cursor.id});
  if (rows.empty()) return std::nullopt;
  return pg::to_timestamptz(rows.get_instant(0, "run_at"));
}

std::optional<Job> take_later(pg::Spi& spi, JobNumber id) {
  const pg::Rows rows =
      spi.query("DELETE FROM " + kTable + " WHERE id IN (SELECT id FROM " + kTable +
                    " WHERE id = $1 FOR UPDATE SKIP LOCKED) RETURNING " + kJobColumnList,
                {id});
  if (rows.empty()) return std::nullopt;
  return job_of(rows, 0);
}

std::optional<TimestampTz> change_later(pg::Spi& spi, JobNumber id,
                                        std::optional<TimestampTz> run_at,
                                        std::optional<std::int16_t> priority) {
  const pg::Rows rows = spi.query(
      "UPDATE " + kTable +
          " SET run_at = coalesce($2, run_at), priority = coalesce($3, priority)"
          " FROM (SELECT id AS old_id, run_at AS old_run_at FROM " +
          kTable +
          " WHERE id = $1 FOR UPDATE SKIP LOCKED) o WHERE id = old_id RETURNING old_run_at",
      {id, run_at ? time_param(*run_at) : pg::Param::null(TIMESTAMPTZOID),
       priority ? pg::Param(INT2OID, Int16GetDatum(*priority)) : pg::Param::null(INT2OID)});
  if (rows.empty()) return std::nullopt;
  return pg::to_timestamptz(rows.get_instant(0, "old_run_at"));
}

Hurried hurry_failed(pg::Spi& spi, const std::vector<std::int64_t>& types, JobNumber after,
                     TimestampTz now, std::size_t most) {
  const pg::Rows rows =
      spi.query("UPDATE " + kTable +
                    " SET run_at = $3, flags = flags & ~1::int2 FROM (SELECT id AS failed_id,"
                    " run_at AS old_run_at FROM " +
                    kTable +
                    " WHERE flags & 1 <> 0 AND type_id = ANY ($1) AND id > $2 ORDER BY id LIMIT $4"
                    " FOR UPDATE SKIP LOCKED) f WHERE id = failed_id RETURNING id,"
                    " old_run_at",
                {pg::Param::array(types), after, time_param(now), static_cast<std::int64_t>(most)});
  Hurried hurried;
  hurried.count = rows.size();
  hurried.earliest = now;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    hurried.last = std::max<JobNumber>(hurried.last, rows.get_int64(i, "id"));
    hurried.earliest =
        std::min(hurried.earliest, pg::to_timestamptz(rows.get_instant(i, "old_run_at")));
  }
  return hurried;
}

}  // namespace metrics_refresh::store::queue
