#include "engine/incremental/setup/sweep.hpp"

#include "engine/incremental/capture/capture_dependencies.hpp"
#include "engine/incremental/setup/delta_objects.hpp"
#include "store/incremental.hpp"

// A view's objects are removed in several transactions: its row, the triggers of one table after
// the other, the delta tables, and at last its number. Each step can be repeated, so a crash or a
// lock that cannot be acquired between two steps does no harm.

namespace metrics_refresh::engine {
namespace {

// Drops those of the given triggers that belong to the first table that still has one.
Swept drop_triggers_of_a_table(const FoundTrigger* all, std::size_t count, bool may_wait) {
  return pg::call([=] {
    const FoundTrigger* first = all;
    while (first != all + count && !still_exists(*first)) ++first;
    if (first == all + count) return Swept::kDone;
    // Only one table is locked in each transaction, so that locks are short and cannot cause a
    // deadlock.
    if (may_wait)
      LockRelationOid(first->table, AccessExclusiveLock);
    else if (!ConditionalLockRelationOid(first->table, AccessExclusiveLock))
      return Swept::kBusy;
    // The table, and its triggers with it, may have been dropped during the wait.
    List* own = NIL;
    for (const FoundTrigger* trigger = first; trigger != all + count; ++trigger)
      if (trigger->table == first->table && still_exists(*trigger))
        own = lappend(own, const_cast<FoundTrigger*>(trigger));
    if (own != NIL) drop_triggers(own);
    return Swept::kMore;
  });
}

// A running refresh holds this lock and will update the row at its end, so the row must stay until
// then.
Swept delete_row(pg::Spi& spi, std::int64_t id, Oid view) {
  const bool locked =
      pg::call([view] { return ConditionalLockRelationOid(view, ShareUpdateExclusiveLock); });
  return locked && store::try_delete_incremental(spi, id) ? Swept::kMore : Swept::kBusy;
}

}  // namespace

TriggersByNumber find_capturing_triggers() {
  const List* const all = pg::call([] { return capturing_triggers(); });
  TriggersByNumber found;
  for (int i = 0; i < list_length(all); ++i) {
    const auto* const trigger = static_cast<const FoundTrigger*>(list_nth(all, i));
    found[trigger->id].push_back(*trigger);
  }
  return found;
}

// The row is deleted first, so that no refresh relies on the triggers any more. The number comes
// last: if a step fails, the next call continues with it.
Swept sweep_incremental(pg::Spi& spi, std::int64_t id, const TriggersByNumber& all, bool may_wait) {
  store::delete_duplicate_leftovers(spi, id);
  const store::LeftoverState state = store::leftover_state(spi, id);
  if (!state.is_in_use) {
    if (OidIsValid(state.view)) return delete_row(spi, id, state.view);
    if (const auto found = all.find(id); found != all.end()) {
      const Swept triggers =
          drop_triggers_of_a_table(found->second.data(), found->second.size(), may_wait);
      if (triggers != Swept::kDone) return triggers;
    }
    if (!pg::call([id] { return drop_delta_tables(id); })) return Swept::kBusy;
  }
  store::delete_leftover(spi, id);
  return Swept::kDone;
}

}  // namespace metrics_refresh::engine
