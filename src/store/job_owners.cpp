#include "store/job_owners.hpp"

#include <string>

namespace metrics_refresh::store {
namespace {

// Jobs whose owner was renamed or dropped. A dumped job may name a role that this server does not
// have. It keeps the name until a role with that name is created. pg_extension_config_dump() in the
// install script dumps exactly the jobs that are not selected here.
constexpr char kStale[] =
    " FROM metrics_refresh_internal.job j LEFT JOIN pg_roles r ON r.oid = j.owner_oid"
    " WHERE NOT j.owner_gone AND (r.rolname <> j.owner OR r.oid IS NULL"
    " AND (j.owner_oid <> '0'::oid OR EXISTS (SELECT FROM pg_roles n WHERE n.rolname = j.owner)))";

}  // namespace

bool follow_owners(pg::Spi& spi) {
  // Counted first without locks. In the usual case there is nothing to do.
  const std::int64_t stale =
      spi.query(std::string("SELECT count(*) AS stale") + kStale).get_int64(0, "stale");
  if (stale == 0) return true;
  const pg::Rows rows = spi.query(
      std::string("WITH stale AS MATERIALIZED (SELECT j.job_id, j.owner_oid, r.rolname") + kStale +
      " FOR NO KEY UPDATE OF j SKIP LOCKED)"
      " UPDATE metrics_refresh_internal.job j"
      " SET owner = coalesce(s.rolname, j.owner), owner_gone = s.rolname IS NULL"
      " FROM stale s WHERE s.job_id = j.job_id"
      " RETURNING j.job_id, s.owner_oid,"
      " s.rolname IS NULL OR s.owner_oid = j.owner_oid AS same_owner");
  // The trigger before_write sets owner_oid by name, and another role may have taken that name a
  // moment ago. The oid is therefore written again.
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (!rows.get_bool(i, "same_owner"))
      spi.query("UPDATE metrics_refresh_internal.job SET owner_oid = $2 WHERE job_id = $1",
                {rows.get_int64(i, "job_id"), pg::Param::oid(rows.get_oid(i, "owner_oid"))});
  // Fewer rows than counted: SKIP LOCKED passed over a locked row.
  return static_cast<std::int64_t>(rows.size()) >= stale;
}

}  // namespace metrics_refresh::store
