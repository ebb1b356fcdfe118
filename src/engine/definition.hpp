// A materialized view's stored query, and how it is run.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

/// The query, as CREATE MATERIALIZED VIEW left it in the view's rule; not to be changed. Raises
/// XX000 where the catalogs are not as the server makes them. REQUIRES: inside pg::call(); `view`
/// is open.
Query* definition_of(Relation view);

/// A tree walker as the server's walkers want it: before 16 they declare it without parameters.
#if PG_VERSION_NUM >= 160000
inline tree_walker_callback tree_walker(bool (*walk)(Node*, void*)) { return walk; }
#else
inline auto tree_walker(bool (*walk)(Node*, void*)) {
  return reinterpret_cast<bool (*)()>(reinterpret_cast<void*>(walk));
}
#endif

/// Runs it under the active snapshot, with a parallel plan where the planner likes one, and hands
/// every row to `receiver`. Rights and settings are those in force. `text` is what activity views
/// and logs show; it must live as long as the call. REQUIRES: inside pg::call().
void run_definition(Relation view, DestReceiver* receiver, const char* text);

}  // namespace metrics_refresh::engine
