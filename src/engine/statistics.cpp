// Runs ANALYZE on a refreshed view if autovacuum would do it.
//
// Autovacuum needs up to autovacuum_naptime to notice the change. A view that is read at once, for
// example by the next view of its group, would be planned with old statistics until then.
#include "engine/statistics.hpp"

#include "engine/view/view.hpp"
#include "extension/own_schema.hpp"
#include "pg/identity.hpp"
#include "pg/spi.hpp"

namespace metrics_refresh::engine {
namespace {

// The threshold of autovacuum. Storage parameters of single tables are ignored. The minute limits
// the cost for views with frequent refreshes.
constexpr char kIsDue[] =
    "SELECT pg_stat_get_mod_since_analyze(oid) >"
    "  current_setting('autovacuum_analyze_threshold')::float8 +"
    "  current_setting('autovacuum_analyze_scale_factor')::float8 * greatest(reltuples, 0)"
    " AND coalesce(greatest(pg_stat_get_last_analyze_time(oid),"
    "  pg_stat_get_last_autoanalyze_time(oid)) < now() - interval '1 minute', true) AS is_due"
    " FROM pg_class WHERE oid = $1";

}  // namespace

void analyze_if_changed(Oid view, bool (*may_run)(Oid owner)) {
  bool is_due = false;
  extension::as_extension([&](pg::Spi& spi) {
    const pg::Rows rows = spi.query(kIsDue, {pg::Param::oid(view)});
    is_due = !rows.empty() && rows.get_bool(0, "is_due");
  });
  if (!is_due) return;
  // The lock is the one that ANALYZE takes. Until it is released, the owner of the view cannot
  // change.
  if (!pg::call([view] { return ConditionalLockRelationOid(view, ShareUpdateExclusiveLock); }))
    return;
  const View found = read_view(view);
  // ANALYZE evaluates expressions of indexes, which is code of the owner.
  if (!may_run(found.owner)) return;
  pg::ActAs owner(found.owner);
  pg::with_fixed_search_path([&found] {
    pg::Spi spi;
    spi.run_discarding("ANALYZE (SKIP_LOCKED) " + qualified_name(found.schema, found.name));
  });
}

}  // namespace metrics_refresh::engine
