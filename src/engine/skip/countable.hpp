// What a view's rows depend on (engine/definition/dependence.hpp), and whether changes of all of it
// are counted here.
#pragma once

#include "engine/definition/dependence.hpp"
#include "engine/view/view.hpp"
#include "shmem/change_counters.hpp"

namespace metrics_refresh::engine {

/// In the current memory context. Tables whose scan is replaced (engine/definition/elsewhere.hpp)
/// are known where the session may run the owner's code: where it goes on to refresh the view and,
/// if it `only_looks`, where may_plan_for() the owner. The view is locked or may change meanwhile.
Dependence countable_dependence(const View& view, bool only_looks);

/// Why the changes of its tables are not counted in the name of this role, or null where they are.
/// REQUIRES: inside pg::call().
const char* why_not_counted(shmem::Counting counting, Oid role);

}  // namespace metrics_refresh::engine
