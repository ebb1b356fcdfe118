#include "engine/refresh.hpp"

#include "pg/identity.hpp"
#include "pg/privilege.hpp"

namespace metrics_refresh::engine {
namespace {

// Through ProcessUtility, so that event triggers and other extensions' hooks see the statement.
// Returns the rows that the view holds afterwards.
std::int64_t run_refresh(const View& view, bool concurrently, const char* query) {
  const char* schema = view.schema.c_str();
  const char* name = view.name.c_str();
  return pg::call([=] {
    auto* statement = makeNode(RefreshMatViewStmt);
    statement->concurrent = concurrently;
    statement->relation = makeRangeVar(pstrdup(schema), pstrdup(name), -1);
    auto* planned = makeNode(PlannedStmt);
    planned->commandType = CMD_UTILITY;
    planned->canSetTag = true;
    planned->utilityStmt = reinterpret_cast<Node*>(statement);
    planned->stmt_location = 0;
    planned->stmt_len = 0;
    QueryCompletion completion;
    InitializeQueryCompletion(&completion);
    ProcessUtility(planned, query, false, PROCESS_UTILITY_QUERY, nullptr, nullptr, None_Receiver,
                   &completion);
    return static_cast<std::int64_t>(completion.nprocessed);
  });
}

}  // namespace

void require_view_rights(Oid role, const View& view) {
  if (pg::has_rights_of(role, view.owner)) return;
  throw pg::SqlError(ERRCODE_INSUFFICIENT_PRIVILEGE,
                     "must be owner of materialized view " + view.name,
                     "Its owner, members of that role and superusers may refresh it.",
                     "The role " + pg::role_name(role) + " lacks the rights of the owner, " +
                         pg::role_name(view.owner) + ".");
}

Refreshed refresh_view(Oid oid, Requested requested, Oid role) {
  require_view_rights(role, read_view(oid));
  // A snapshot older than the lock would miss what an earlier refresh has just written.
  pg::call([oid] { LockRelationOid(oid, ExclusiveLock); });
  const View view = read_view(oid);
  require_view_rights(role, view);
  Choice choice = choose(view, read_state(view), requested);
  const bool concurrently = choice.strategy == Strategy::kConcurrently;
  const std::string query = "REFRESH MATERIALIZED VIEW " +
                            std::string(concurrently ? "CONCURRENTLY " : "") +
                            qualified_name(view.schema, view.name);
  std::int64_t rows = 0;
  pg::call([] { PushActiveSnapshot(GetTransactionSnapshot()); });
  pg::with_fixed_search_path([&] {
    // Core restricts the security context by itself before any of the view's code runs; doing it
    // here already would forbid the temporary table that CONCURRENTLY needs.
    pg::ActAs owner(view.owner);
    rows = run_refresh(view, concurrently, query.c_str());
  });
  pg::call([] { PopActiveSnapshot(); });
  return {std::move(choice), rows};
}

}  // namespace metrics_refresh::engine
