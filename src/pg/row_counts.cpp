#include "pg/row_counts.hpp"

namespace metrics_refresh::pg {

bool has_changed_rows(Oid table, int nest_level) {
  const PgStat_EntryRef* const entry =
      pgstat_fetch_pending_entry(PGSTAT_KIND_RELATION, MyDatabaseId, table);
  if (entry == nullptr) return false;
  const auto* const status = static_cast<PgStat_TableStatus*>(entry->pending);
  // One entry for each subtransaction with changes, the innermost one first.
  for (const PgStat_TableXactStatus* part = status->trans;
       part != nullptr && part->nest_level >= nest_level; part = part->upper)
    if (part->tuples_inserted + part->tuples_updated + part->tuples_deleted > 0) return true;
  return false;
}

}  // namespace metrics_refresh::pg
