#include "engine/incremental_sweep.hpp"

#include "engine/delta_objects.hpp"
#include "engine/incremental_ties.hpp"
#include "store/incremental.hpp"

namespace metrics_refresh::engine {
namespace {

// Of the triggers of this number, those of one table.
Swept drop_triggers_of_a_table(std::int64_t id, bool may_wait) {
  return pg::call([=] {
    List* const all = triggers_of(id);
    if (all == NIL) return Swept::kDone;
    const Oid table = static_cast<FoundTrigger*>(linitial(all))->table;
    if (may_wait)
      LockRelationOid(table, AccessExclusiveLock);
    else if (!ConditionalLockRelationOid(table, AccessExclusiveLock))
      return Swept::kBusy;
    // It may have gone while this waited, and its triggers with it.
    List* own = NIL;
    ListCell* cell;
    foreach (cell, triggers_of(id))
      if (static_cast<FoundTrigger*>(lfirst(cell))->table == table)
        own = lappend(own, lfirst(cell));
    if (own != NIL) drop_triggers(own);
    return Swept::kMore;
  });
}

// A refresh that is under way would go on to write the row.
Swept dismiss(pg::Spi& spi, std::int64_t id, Oid view) {
  const bool locked =
      pg::call([view] { return ConditionalLockRelationOid(view, ShareUpdateExclusiveLock); });
  return locked && store::try_dismiss_incremental(spi, id) ? Swept::kMore : Swept::kBusy;
}

}  // namespace

// The row goes first: without it nobody looks at what the triggers write. The number last.
Swept sweep_incremental(pg::Spi& spi, std::int64_t id, bool may_wait) {
  const store::LeftoverState state = store::leftover_state(spi, id);
  if (!state.is_wanted) {
    if (OidIsValid(state.view)) return dismiss(spi, id, state.view);
    const Swept triggers = drop_triggers_of_a_table(id, may_wait);
    if (triggers != Swept::kDone) return triggers;
    pg::call([id] { drop_delta_tables(id); });
  }
  store::forget_leftover(spi, id);
  return Swept::kDone;
}

}  // namespace metrics_refresh::engine
