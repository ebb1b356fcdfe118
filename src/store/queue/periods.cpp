#include "store/queue/periods.hpp"

#include "extension/own_schema.hpp"
#include "pg/empty_table.hpp"
#include "pg/time.hpp"
#include "shmem/queue/place.hpp"
#include "store/queue/tables.hpp"

namespace metrics_refresh::store::queue {
namespace {

Period::State state_of(const std::string& word) {
  if (word == "empty") return Period::State::kEmpty;
  return word == "current" ? Period::State::kCurrent : Period::State::kClosed;
}

}  // namespace

std::vector<Period> read_periods(pg::Spi& spi) {
  const pg::Rows rows = spi.query(
      "SELECT period::int8, state, opened_at, closed_at"
      " FROM metrics_refresh_internal.queue_period ORDER BY period");
  std::vector<Period> periods;
  for (std::size_t i = 0; i < rows.size(); ++i)
    periods.push_back({static_cast<std::uint8_t>(rows.get_int64(i, "period")),
                       state_of(rows.get_text(i, "state")),
                       pg::to_timestamptz(rows.get_instant_or_null(i, "opened_at")),
                       pg::to_timestamptz(rows.get_instant_or_null(i, "closed_at"))});
  return periods;
}

std::uint8_t current_period() {
  const int known = shmem::queue::current_period();
  if (known >= 0) return static_cast<std::uint8_t>(known);
  int current = 0;
  extension::as_extension([&current](pg::Spi& spi) {
    for (const Period& period : read_periods(spi))
      if (period.state == Period::State::kCurrent) current = period.number;
  });
  return static_cast<std::uint8_t>(shmem::queue::offer_current_period(current));
}

void open_period(pg::Spi& spi, std::uint8_t next, TimestampTz now) {
  const pg::Param time(TIMESTAMPTZOID, TimestampTzGetDatum(now));
  (void)spi.query(
      "UPDATE metrics_refresh_internal.queue_period SET state = 'closed', closed_at = $1"
      " WHERE state = 'current'",
      {time});
  (void)spi.query(
      "UPDATE metrics_refresh_internal.queue_period"
      " SET state = 'current', opened_at = $1, closed_at = NULL WHERE period = $2",
      {time, static_cast<std::int64_t>(next)});
}

std::int64_t count_completed(std::uint8_t period) {
  return pg::call([period]() -> std::int64_t {
    const Oid table = tables().history[period];
    if (!OidIsValid(table)) return 0;
    Snapshot const latest = RegisterSnapshot(GetLatestSnapshot());
    const std::int64_t count = pg::count_rows(table, latest);
    UnregisterSnapshot(latest);
    return count;
  });
}

void index_last_pages(pg::Spi& spi, std::uint8_t period) {
  const bool is_locked = pg::call([period] {
    const Oid table = tables().history[period];
    return OidIsValid(table) && ConditionalLockRelationOid(table, ShareUpdateExclusiveLock);
  });
  if (!is_locked) return;
  (void)spi.query(
      "SELECT pg_catalog.brin_summarize_range((name || '_id')::pg_catalog.regclass, greatest("
      "pg_catalog.pg_relation_size(name::pg_catalog.regclass) /"
      " pg_catalog.current_setting('block_size')::int8 - 1, 0))"
      " FROM (SELECT 'metrics_refresh_internal.queue_history_' || $1 AS name) closed",
      {static_cast<std::int64_t>(period)});
}

bool empty_period(pg::Spi& spi, std::uint8_t period) {
  const bool emptied = pg::call([period] {
    const Oid table = tables().history[period];
    if (!OidIsValid(table) || !pg::lock_if_unused(table)) return false;
    pg::empty_tables(&table, 1);
    return true;
  });
  if (!emptied) return false;
  // The index of an empty table has an entry for the first pages, which each row there would
  // change.
  (void)spi.query(
      "SELECT pg_catalog.brin_desummarize_range(('metrics_refresh_internal.queue_history_' ||"
      " $1 || '_id')::pg_catalog.regclass, 0)",
      {static_cast<std::int64_t>(period)});
  (void)spi.query(
      "UPDATE metrics_refresh_internal.queue_period"
      " SET state = 'empty', opened_at = NULL, closed_at = NULL WHERE period = $1",
      {static_cast<std::int64_t>(period)});
  return true;
}

}  // namespace metrics_refresh::store::queue
