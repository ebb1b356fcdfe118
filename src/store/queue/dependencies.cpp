#include "store/queue/dependencies.hpp"

#include <algorithm>

namespace metrics_refresh::store::queue {
namespace {

const std::string kTable = "metrics_refresh_internal.queue_dependency";

// The column "id" of all rows.
std::vector<std::int64_t> ids_of(const pg::Rows& rows) {
  std::vector<std::int64_t> ids;
  for (std::size_t i = 0; i < rows.size(); ++i) ids.push_back(rows.get_int64(i, "id"));
  return ids;
}

}  // namespace

void add_dependencies(pg::Spi& spi, const std::vector<std::int64_t>& waiters,
                      const std::vector<std::int64_t>& predecessors) {
  (void)spi.query("INSERT INTO " + kTable +
                      " (predecessor, waiter) SELECT p, w FROM unnest($1) p, unnest($2) w",
                  {pg::Param::array(predecessors), pg::Param::array(waiters)});
}

std::vector<std::int64_t> read_predecessors(pg::Spi& spi, JobNumber after, std::size_t most) {
  return ids_of(spi.query("SELECT DISTINCT predecessor AS id FROM " + kTable +
                              " WHERE predecessor > $1 ORDER BY 1 LIMIT $2",
                          {after, static_cast<std::int64_t>(most)}));
}

std::vector<std::int64_t> awaited_of(pg::Spi& spi, const std::vector<std::int64_t>& numbers) {
  return ids_of(spi.query("SELECT n AS id FROM unnest($1) n WHERE EXISTS (SELECT FROM " + kTable +
                              " WHERE predecessor = n)",
                          {pg::Param::array(numbers)}));
}

std::vector<std::int64_t> lock_waiters(pg::Spi& spi,
                                       const std::vector<std::int64_t>& predecessors) {
  const std::vector<std::int64_t> locked = ids_of(spi.query(
      "SELECT id FROM metrics_refresh_internal.queue_later WHERE id IN (SELECT waiter FROM " +
          kTable + " WHERE predecessor = ANY ($1)) ORDER BY id FOR UPDATE SKIP LOCKED",
      {pg::Param::array(predecessors)}));
  return ids_of(spi.query(
      "SELECT DISTINCT waiter AS id FROM " + kTable +
          " WHERE predecessor = ANY ($1) AND waiter <> ALL ($2)"
          " AND EXISTS (SELECT FROM metrics_refresh_internal.queue_later l WHERE l.id = waiter)",
      {pg::Param::array(predecessors), pg::Param::array(locked)}));
}

std::vector<std::int64_t> end_predecessors(pg::Spi& spi,
                                           const std::vector<std::int64_t>& predecessors,
                                           const std::vector<std::int64_t>& busy) {
  return ids_of(spi.query(
      "WITH ended AS (DELETE FROM " + kTable +
          " WHERE predecessor = ANY ($1) AND waiter <> ALL ($2) RETURNING waiter),"
          " counted AS (SELECT waiter, count(*) AS ended_count FROM ended GROUP BY waiter),"
          " changed AS (UPDATE metrics_refresh_internal.queue_later"
          "  SET waits = greatest(waits - ended_count, 0) FROM counted WHERE id = waiter"
          "  RETURNING id, waits)"
          " SELECT id FROM changed WHERE waits = 0 ORDER BY id",
      {pg::Param::array(predecessors), pg::Param::array(busy)}));
}

std::vector<std::int64_t> waiters_of(pg::Spi& spi, const std::vector<std::int64_t>& predecessors,
                                     const std::vector<std::int64_t>& busy) {
  return ids_of(spi.query("SELECT DISTINCT waiter AS id FROM " + kTable +
                              " WHERE predecessor = ANY ($1) AND waiter <> ALL ($2) ORDER BY 1",
                          {pg::Param::array(predecessors), pg::Param::array(busy)}));
}

void remove_waiter(pg::Spi& spi, JobNumber waiter) {
  (void)spi.query("DELETE FROM " + kTable + " WHERE waiter = $1", {waiter});
}

}  // namespace metrics_refresh::store::queue
