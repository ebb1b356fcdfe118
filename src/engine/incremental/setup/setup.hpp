// Sets a view up for the strategy incremental: its row in incremental_view, its delta tables in the
// schema of the extension's tables, and the triggers on the tables that it reads. Delta tables and
// triggers are no members of the extension, so that pg_dump takes them along; they go with the
// extension by dependencies, and with the view or the job by sweep.hpp.
#pragma once

#include <string>
#include <vector>

#include "engine/view/view.hpp"

namespace metrics_refresh::engine {

/// Why the view cannot be refreshed by keys, in words, or empty. Waits for whoever holds a table
/// that it reads exclusively, and locks these tables in AccessShareLock.
std::string why_not_incremental(const View& view);

/// In the name of `roles`, all of which need the rights over the view and, as its owner does, the
/// privilege TRIGGER on the tables; that comes before any lock. Where everything is in place
/// nothing is done, but that a view that was demoted is so no more if `restore` is set. Locks the
/// tables against writers until the transaction ends where a trigger is to be made. Throws SqlError
/// 0A000 with the exact reason, 42501, 42710 where a trigger has a name that is needed, 40001 where
/// something changed meanwhile.
void set_up_incremental(const View& view, const std::vector<Oid>& roles, bool restore);

}  // namespace metrics_refresh::engine
