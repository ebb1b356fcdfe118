// The strategy diff is the engine's own and serves any view whose rows are in a heap. It is not in
// engine/diff, because a view that is set up for incremental refresh, or that such views read,
// needs more than the difference.
#include "engine/diff/diff.hpp"
#include "engine/incremental/apply/keyed_run.hpp"
#include "engine/incremental/capture/consumers.hpp"
#include "engine/strategy/work.hpp"
#include "pg/identity.hpp"

namespace metrics_refresh::engine {
namespace {

// Only when it is tried can be known what an access method can do: one that is made for columns
// deletes no row.
std::optional<Choice> choose(const View&, const ViewState& state, bool asked_for) {
  if (state.is_heap) return Choice{Strategy::kDiff, "only rows that differ are written"};
  if (!asked_for) return std::nullopt;
  return Choice{Strategy::kFull, "diff needs a heap, and the access method " + state.access_method +
                                     " may not be able to delete rows"};
}

void run(const Task& task) {
  if (task.keyed.run(task.done, task.sums)) return;
  const View& view = task.view;
  const std::string text = "refresh of " + qualified_name(view.schema, view.name);
  const char* query = text.c_str();
  const Oid oid = view.oid;
  RowSums* const sums = task.sums;
  pg::ActAs owner(view.owner, SECURITY_RESTRICTED_OPERATION);
  const Difference difference = pg::call([=] {
    Relation const opened = open_for_refresh(oid);
    Consumers consumers;
    const Difference found = refresh_by_difference(opened, nullptr, query, consumers, sums);
    table_close(opened, NoLock);
    return found;
  });
  const Written& written = difference.written;
  task.done.rows = {difference.rows, written.inserted, written.updated, written.deleted};
}

}  // namespace

const Work works::kDiff = {choose, ExclusiveLock, ServerStatement::kNone, run};

}  // namespace metrics_refresh::engine
