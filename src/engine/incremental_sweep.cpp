#include "engine/incremental_sweep.hpp"

#include "engine/delta_objects.hpp"
#include "engine/incremental_ties.hpp"
#include "store/incremental.hpp"

namespace metrics_refresh::engine {
namespace {

// Of the triggers of this number, those of one table; whether there were any.
bool drop_triggers_of_a_table(std::int64_t id) {
  return pg::call([id] {
    List* const all = triggers_of(id);
    if (all == NIL) return false;
    const Oid table = static_cast<FoundTrigger*>(linitial(all))->table;
    LockRelationOid(table, AccessExclusiveLock);
    // It may have gone while this waited, and its triggers with it.
    List* own = NIL;
    ListCell* cell;
    foreach (cell, triggers_of(id))
      if (static_cast<FoundTrigger*>(lfirst(cell))->table == table)
        own = lappend(own, lfirst(cell));
    if (own != NIL) drop_triggers(own);
    return true;
  });
}

// A refresh that is under way would go on to write the row.
void dismiss(pg::Spi& spi, std::int64_t id, Oid view) {
  const bool locked =
      pg::call([view] { return ConditionalLockRelationOid(view, ShareUpdateExclusiveLock); });
  if (!locked || !store::try_dismiss_incremental(spi, id))
    throw pg::SqlError(ERRCODE_LOCK_NOT_AVAILABLE, "the view is in use");
}

}  // namespace

// The row goes first: without it nobody looks at what the triggers write. The number last.
bool sweep_incremental(pg::Spi& spi, std::int64_t id) {
  const store::LeftoverState state = store::leftover_state(spi, id);
  if (state.is_wanted) {
    store::forget_leftover(spi, id);
    return false;
  }
  if (OidIsValid(state.view)) {
    dismiss(spi, id, state.view);
    return true;
  }
  if (drop_triggers_of_a_table(id)) return true;
  pg::call([id] { drop_delta_tables(id); });
  store::forget_leftover(spi, id);
  return false;
}

}  // namespace metrics_refresh::engine
