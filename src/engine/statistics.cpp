#include "engine/statistics.hpp"

#include "engine/view/view.hpp"
#include "extension/own_schema.hpp"
#include "pg/identity.hpp"
#include "pg/spi.hpp"

namespace metrics_refresh::engine {
namespace {

// What autovacuum goes by, without the options of single tables.
constexpr char kIsDue[] =
    "SELECT pg_stat_get_mod_since_analyze(oid) >"
    "  current_setting('autovacuum_analyze_threshold')::float8 +"
    "  current_setting('autovacuum_analyze_scale_factor')::float8 * greatest(reltuples, 0)"
    " AND coalesce(greatest(pg_stat_get_last_analyze_time(oid),"
    "  pg_stat_get_last_autoanalyze_time(oid)) < now() - interval '1 minute', true)"
    " FROM pg_class WHERE oid = $1";

}  // namespace

void analyze_if_changed(Oid view, bool (*may_run)(Oid owner)) {
  bool is_due = false;
  extension::as_extension([&](pg::Spi& spi) {
    const pg::Rows rows = spi.query(kIsDue, {pg::Param::oid(view)});
    is_due = !rows.empty() && rows.get_bool(0, 1);
  });
  if (!is_due) return;
  // The same that ANALYZE will want: until it is released the view has one owner.
  if (!pg::call([view] { return ConditionalLockRelationOid(view, ShareUpdateExclusiveLock); }))
    return;
  const View found = read_view(view);
  if (!may_run(found.owner)) return;
  pg::ActAs owner(found.owner);
  pg::with_fixed_search_path([&found] {
    pg::Spi spi;
    spi.run_discarding("ANALYZE (SKIP_LOCKED) " + qualified_name(found.schema, found.name));
  });
}

}  // namespace metrics_refresh::engine
