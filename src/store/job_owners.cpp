#include "store/job_owners.hpp"

#include <string>

namespace metrics_refresh::store {
namespace {

// Rows whose owner was renamed or dropped. A dumped row may name a role that this server does not
// have. It keeps the name until a role with that name is created. pg_extension_config_dump() in the
// install script dumps exactly the rows that are not selected here.
constexpr char kStale[] =
    " j LEFT JOIN pg_roles r ON r.oid = j.owner_oid"
    " WHERE NOT j.owner_gone AND (r.rolname <> j.owner OR r.oid IS NULL"
    " AND (j.owner_oid <> '0'::oid OR EXISTS (SELECT FROM pg_roles n WHERE n.rolname = j.owner)))";

// `number` is the primary key.
bool follow_owners_of(pg::Spi& spi, const std::string& table, const std::string& number) {
  const std::string name = "metrics_refresh_internal." + table;
  // Counted first without locks. In the usual case there is nothing to do.
  const std::int64_t stale =
      spi.query("SELECT count(*) AS stale FROM " + name + kStale).get_int64(0, "stale");
  if (stale == 0) return true;
  // A row may change between the look and its lock, which reads the row again, but not the role.
  const pg::Rows rows = spi.query(
      "WITH seen AS MATERIALIZED (SELECT j." + number +
      " AS number, j.owner, j.owner_oid, r.rolname FROM " + name + kStale +
      "), stale AS MATERIALIZED (SELECT s.number, s.owner_oid, s.rolname FROM seen s JOIN " + name +
      " j ON j." + number +
      " = s.number AND j.owner = s.owner AND j.owner_oid = s.owner_oid AND NOT j.owner_gone"
      " FOR NO KEY UPDATE OF j SKIP LOCKED) UPDATE " +
      name +
      " j SET owner = coalesce(s.rolname, j.owner),"
      " owner_gone = s.rolname IS NULL FROM stale s WHERE s.number = j." +
      number + " RETURNING j." + number +
      "::int8 AS number, s.owner_oid,"
      " s.rolname IS NULL OR s.owner_oid = j.owner_oid AS same_owner");
  // The trigger before_write sets owner_oid by name, and another role may have taken that name a
  // moment ago. The oid is therefore written again.
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (!rows.get_bool(i, "same_owner"))
      spi.query("UPDATE " + name + " SET owner_oid = $2 WHERE " + number + " = $1",
                {rows.get_int64(i, "number"), pg::Param::oid(rows.get_oid(i, "owner_oid"))});
  // Fewer rows than counted: a row was locked, or changed.
  return static_cast<std::int64_t>(rows.size()) >= stale;
}

}  // namespace

bool follow_owners(pg::Spi& spi) {
  const bool jobs = follow_owners_of(spi, "job", "job_id");
  const bool types = follow_owners_of(spi, "job_type", "id");
  return jobs && types;
}

}  // namespace metrics_refresh::store
