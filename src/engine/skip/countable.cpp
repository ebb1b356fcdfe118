#include "engine/skip/countable.hpp"

#include "engine/definition/elsewhere.hpp"
#include "engine/definition/known_scans.hpp"
#include "pg/identity.hpp"
#include "pg/role.hpp"

namespace metrics_refresh::engine {
namespace {

// The reason why the scan of one of the tables is replaced, or null. Also null if the session must
// not run the owner's code, because planning could run it.
const char* reason_any_scanned_elsewhere(const View& view, const Dependence& dependence,
                                         bool only_looks) {
  if (!are_scans_hooked()) return nullptr;
  // A session that goes on to refresh the view runs the owner's code anyway. It is then enough to
  // have the owner's rights.
  if (only_looks ? !may_plan_for(view.owner) : !pg::has_rights_of(view.owner)) return nullptr;
  const char* reason = nullptr;
  List* const trees = dependence.trees;
  // Planning runs code in indexes, so it runs as the owner in the same restricted operation as a
  // refresh.
  pg::ActAs owner(view.owner, SECURITY_RESTRICTED_OPERATION);
  pg::with_fixed_search_path([&reason, trees] {
    reason = pg::call([trees]() -> const char* {
      ListCell* cell;
      foreach (cell, trees) {
        const auto* const tree = static_cast<ReadTree*>(lfirst(cell));
        if (const char* found = reason_scanned_elsewhere(tree->root, tree->has_children))
          return found;
      }
      return nullptr;
    });
  });
  return reason;
}

}  // namespace

const char* reason_not_counted(shmem::Counting counting, Oid role) {
  switch (counting) {
    case shmem::Counting::kCounted:
      return nullptr;
    case shmem::Counting::kNotYet:
      return "changes of its tables are not counted yet: a refresh begins to";
    case shmem::Counting::kNoShare:
      return psprintf(
          "changes of its tables are not counted: the role %s has no more room "
          "(metrics_refresh.max_tracked_tables_per_role)",
          GetUserNameFromId(role, false));
    case shmem::Counting::kNoRoom:
    case shmem::Counting::kNotHere:
      break;
  }
  // These two states cannot be told apart without a look at the server. The text for a standby is
  // more precise.
  return RecoveryInProgress()
             ? "changes of its tables are not counted while the server is in recovery"
             : "changes of its tables are not counted: there is no room (metrics_refresh."
               "max_tracked_tables), or the library is not preloaded";
}

Dependence countable_dependence(const View& view, bool only_looks) {
  const Oid oid = view.oid;
  Dependence dependence = [&] {
    // Names and policies are resolved for the role that runs the definition.
    pg::ActAs owner(view.owner);
    return pg::call([oid] { return dependence_of(oid); });
  }();
  if (dependence.uncounted_reason == nullptr)
    dependence.uncounted_reason = reason_any_scanned_elsewhere(view, dependence, only_looks);
  if (dependence.reason == nullptr) dependence.reason = dependence.uncounted_reason;
  return dependence;
}

}  // namespace metrics_refresh::engine
