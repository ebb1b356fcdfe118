// Sets a view up for the strategy incremental, and takes that away: its row in incremental_view,
// its delta tables in the schema metrics_refresh, and the triggers on the tables that it reads.
// Delta tables and triggers are no members of the extension, so that pg_dump takes them along; they
// go with the view and with the extension by dependencies.
#pragma once

#include <string>

#include "engine/view.hpp"

namespace metrics_refresh::engine {

/// Why the view cannot be refreshed by keys, in words, or empty. Waits for whoever holds a table
/// that it reads exclusively.
std::string why_not_incremental(const View& view);

/// On behalf of `role`, which needs the privilege TRIGGER on the tables. Where everything is in
/// place nothing is done, but that a view that was demoted is so no more if `restore` is set. Locks
/// the tables against writers until the transaction ends where a trigger is to be made.
/// Throws SqlError 0A000 with the exact reason, 42501.
void set_up_incremental(const View& view, Oid role, bool restore);

/// Does nothing where the view is not set up. Locks the tables that it reads exclusively.
void take_down_incremental(Oid view);

}  // namespace metrics_refresh::engine
