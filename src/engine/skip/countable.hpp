// The objects that the rows of a view depend on (engine/definition/dependence.hpp), and if changes
// of all of them are counted here.
#pragma once

#include "engine/definition/dependence.hpp"
#include "engine/view/view.hpp"
#include "shmem/change_counters.hpp"

namespace metrics_refresh::engine {

/// Returns the dependence in the current memory context. Tables whose scan is replaced
/// (engine/definition/elsewhere.hpp) are recognized only if the session may run the owner's code.
/// It may if it goes on to refresh the view, or if it `only_looks` and may_plan_for() the owner.
/// The view is locked or may change meanwhile.
Dependence countable_dependence(const View& view, bool only_looks);

/// The reason why changes of the tables are not counted on behalf of this role, or null if they
/// are. REQUIRES: inside pg::call().
const char* reason_not_counted(shmem::Counting counting, Oid role);

}  // namespace metrics_refresh::engine
