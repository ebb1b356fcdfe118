#include "api/monitoring/unseen_changes.hpp"

#include <map>

#include "engine/definition/elsewhere.hpp"
#include "engine/view/function_reads.hpp"
#include "engine/view/view.hpp"
#include "pg/identity.hpp"
#include "store/rule_reads.hpp"
#include "store/view_tables.hpp"

namespace metrics_refresh::api {
namespace {

// The planner may execute functions in the indexes of a table. A caller that only reads must not
// execute code of another role, so the planner is used only if may_plan_for() allows it.
std::string reason_unseen(Oid table, Oid owner) {
  const bool may_plan = engine::may_plan_for(owner);
  pg::ActAs scope(may_plan ? owner : GetUserId(), SECURITY_RESTRICTED_OPERATION);
  const char* const found = pg::call([=] { return engine::reason_unseen(table, may_plan); });
  return found != nullptr ? found : "";
}

// Adds tables that the views read through functions.
void add_unseen_by_functions(pg::Spi& spi, UnseenChanges& unseen) {
  std::map<Oid, std::vector<Oid>> tables;  // many views may read the same
  for (const auto& read : engine::reads_by_functions(spi, store::views_with_functions(spi))) {
    if (unseen.count(read.view) > 0) continue;
    const auto [found_tables, is_new] = tables.try_emplace(read.relation);
    if (is_new) found_tables->second = store::with_children(spi, {read.relation});
    for (const Oid table : found_tables->second) {
      std::string found = reason_unseen(table, read.owner);
      if (found.empty()) continue;
      unseen[read.view] = std::move(found);
      break;
    }
  }
}

}  // namespace

UnseenChanges unseen_changes(pg::Spi& spi) {
  UnseenChanges unseen;
  // If nothing in this database can write ordinary tables past this server, only foreign tables are
  // examined.
  const bool foreign_only = pg::call([] { return !engine::may_be_elsewhere(); });
  for (const store::ViewTable& read : store::tables_of_views(spi, foreign_only)) {
    // One table for each view is enough.
    if (unseen.count(read.view) > 0) continue;
    std::string found = reason_unseen(read.table, read.owner);
    if (!found.empty()) unseen[read.view] = std::move(found);
  }
  add_unseen_by_functions(spi, unseen);
  return unseen;
}

}  // namespace metrics_refresh::api
