// One refresh of one view, in the open transaction of the caller.
#pragma once

#include <optional>

#include "engine/skip/freshness.hpp"
#include "engine/strategy/refreshed.hpp"
#include "store/runs.hpp"

namespace metrics_refresh::engine {

/// The outcome that the log stores for a successful refresh.
store::Outcome to_outcome(const Choice& choice, const RowCounts& rows);

/// Throws SqlError 54001 if the definition of the view is too large to be planned
/// (engine/definition/definition_size.hpp), for every strategy.
void require_sane_size(const View& view);

/// The choice of `skip` if `auto` is requested, the view is fresh and no audit is due
/// (engine/skip/skip_audit.hpp). Otherwise nothing. A caller that skips the view must call
/// count_skip(). Throws SqlError as require_view_rights() and read_view() do.
std::optional<Choice> choose_skip(Oid view, Strategy asked, Oid role);

/// A view that is locked for its refresh until the end of the transaction.
struct LockedView {
  View view;
  Choice choice;
  Observation seen;      // under the lock
  bool audits_skipping;  // it is fresh, and refreshed nevertheless to check that
};

/// True if this session may run the code of views of that owner.
using MayRun = bool (*)(Oid owner);

/// Locks the view for a refresh on behalf of `role`. Takes no snapshot. Throws SqlError 40001 if
/// the view has got an owner whose code this session may not run. Throws PgError if the lock cannot
/// be acquired, and SqlError as choose(), require_view_rights() and read_view() do.
LockedView lock_view(Oid view, Strategy asked, Oid role, MayRun may_run);

/// Refreshes the view with the transaction's snapshot, which at read committed is a new one. The
/// definition runs as the owner of the view, in core's security-restricted operation, with
/// search_path fixed to pg_catalog and pg_temp. If the chosen strategy turns out to be impossible,
/// the result contains the one that was used. Throws PgError for any error.
Refreshed refresh_locked(const LockedView& locked);

/// The whole refresh: skips the view if possible. Otherwise locks it, takes the snapshot, and
/// refreshes it. REQUIRES: a transaction with an active snapshot.
Refreshed refresh_view(Oid view, Strategy asked, Oid role, MayRun may_run);

}  // namespace metrics_refresh::engine
