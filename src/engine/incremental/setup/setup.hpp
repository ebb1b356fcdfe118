// Sets up a view for the strategy incremental. This creates its row in incremental_view, its delta
// tables in the schema of the extension's tables, and triggers on the tables that it reads. Delta
// tables and triggers are no members of the extension, so that pg_dump dumps them. DROP EXTENSION
// drops them because of dependencies. After the view or the job was dropped, sweep.hpp removes
// them.
#pragma once

#include <string>
#include <vector>

#include "engine/view/view.hpp"

namespace metrics_refresh::engine {

/// Returns why the view cannot be refreshed by keys, or an empty text. Locks the tables that it
/// reads in AccessShareLock, so it waits while another session holds one exclusively.
std::string reason_not_incremental(const View& view);

/// Sets up the view on behalf of `roles`. Each of them needs rights on the view. Each of them and
/// the view's owner need the privilege TRIGGER on the tables. Privileges are checked before
/// anything is locked. If everything is in place, nothing is changed; but if `restore` is set, a
/// demoted view is restored to the strategy. If triggers must be created, the tables are locked
/// against writers until the transaction ends. Throws SqlError 0A000 with the reason, 42501, 42710
/// if a trigger with a required name exists, and 40001 if something was changed concurrently.
void set_up_incremental(const View& view, const std::vector<Oid>& roles, bool restore);

}  // namespace metrics_refresh::engine
