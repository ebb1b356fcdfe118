// The strategies concurrently and full: the two forms of the server's REFRESH MATERIALIZED VIEW.
#include "engine/refresh_statement.hpp"
#include "engine/strategy/work.hpp"
#include "pg/transaction.hpp"

namespace metrics_refresh::engine {
namespace {

bool is_unsupported(const pg::PgError& error) {
  // Some access methods say so without an error code of its own.
  return error.sqlstate() == ERRCODE_FEATURE_NOT_SUPPORTED ||
         error.sqlstate() == ERRCODE_INTERNAL_ERROR;
}

// The lock is raised only here: who reads the view and waits for a refresh of it meanwhile may be
// in a deadlock with this, which the server ends.
std::int64_t run_concurrently_or_full(const View& view, RefreshStatement& statement,
                                      Choice& choice) {
  std::int64_t rows = 0;
  const std::optional<pg::PgError> error = pg::in_subtransaction([&] { rows = statement.run(); });
  if (!error) return rows;
  if (!is_unsupported(*error)) throw *error;
  choice = {Strategy::kFull, std::string("concurrently failed: ") + error->what()};
  const Oid oid = view.oid;
  pg::call([oid] { LockRelationOid(oid, AccessExclusiveLock); });
  return statement.run_in_full();
}

std::optional<Choice> choose_concurrently(const View& view, const ViewState& state,
                                          bool asked_for) {
  if (!asked_for) return std::nullopt;
  if (!state.unique_index.empty())
    return Choice{Strategy::kConcurrently, "the unique index " + state.unique_index + " is usable",
                  !state.is_heap};
  const std::string lacking =
      "no unique index that is valid, immediate, on plain columns and without a WHERE clause";
  throw pg::SqlError(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                     "materialized view \"" + view.name + "\" cannot be refreshed concurrently",
                     "metrics_refresh.explain_refresh() proposes an index where it can; strategy "
                     "diff refreshes without one.",
                     "There is " + lacking + ".");
}

void run_concurrently(const Task& task) {
  Choice& choice = task.done.choice;
  task.done.rows.total = choice.may_be_unsupported
                             ? run_concurrently_or_full(task.view, *task.statement, choice)
                             : task.statement->run();
}

// The last one of the table: for `auto`, no other strategy can be used.
std::optional<Choice> choose_full(const View&, const ViewState& state, bool asked_for) {
  if (asked_for) return Choice{Strategy::kFull, "asked for"};
  return Choice{Strategy::kFull,
                "the access method " + state.access_method + " may not be able to delete rows"};
}

void run_full(const Task& task) { task.done.rows.total = task.statement->run(); }

}  // namespace

const Work works::kConcurrently = {choose_concurrently, ExclusiveLock,
                                   ServerStatement::kRefreshConcurrently, run_concurrently};
const Work works::kFull = {choose_full, AccessExclusiveLock, ServerStatement::kRefresh, run_full};

}  // namespace metrics_refresh::engine
