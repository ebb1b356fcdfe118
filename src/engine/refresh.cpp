// Performs one refresh of one view.
//
// Two rules fix the order of the steps. No lock is waited for while a snapshot is held, because the
// snapshot would then be older than the lock. No code of the owner runs before the rights are
// checked. A view that is fresh without a lock is skipped. Otherwise the steps for strategy diff
// are:
//   lock m EXCLUSIVE -> observe t -> snapshot -> run the definition, write the differences
//   -> store the fingerprint of t as observed
// A change of t between the observation and the snapshot is part of the result, but not of the
// fingerprint. The next run then refreshes once more than needed, and never too little.
#include "engine/refresh.hpp"

#include "engine/definition/definition.hpp"
#include "engine/definition/definition_size.hpp"
#include "engine/incremental/apply/keyed_run.hpp"
#include "engine/refresh_statement.hpp"
#include "engine/skip/skip_audit.hpp"
#include "engine/strategies.hpp"
#include "pg/identity.hpp"
#include "pg/transaction.hpp"

namespace metrics_refresh::engine {
namespace {

LOCKMODE lock_mode(const Choice& choice) { return work_of(choice.strategy).lock; }

}  // namespace

store::Outcome to_outcome(const Choice& choice, const RowCounts& rows) {
  store::Outcome outcome;
  outcome.status = store::RunStatus::kSuccess;
  outcome.strategy = choice.strategy;
  outcome.strategy_reason = choice.reason;
  if (choice.strategy == Strategy::kSkip) return outcome;
  outcome.rows_total = rows.total;
  outcome.rows_inserted = rows.inserted;
  outcome.rows_updated = rows.updated;
  outcome.rows_deleted = rows.deleted;
  return outcome;
}

// The size is checked before planning, for every strategy. The planning of a very large definition
// can be neither canceled nor terminated for a long time.
void require_sane_size(const View& view) {
  const Oid oid = view.oid;
  const char* const reason = pg::call([oid]() -> const char* {
    Relation const relation = try_table_open(oid, AccessShareLock);
    if (relation == nullptr) return nullptr;
    const char* const found = reason_not_refreshed(definition_of(relation), oid);
    table_close(relation, AccessShareLock);
    return found;
  });
  if (reason == nullptr) return;
  throw pg::SqlError(ERRCODE_STATEMENT_TOO_COMPLEX,
                     "the definition of materialized view \"" + view.name + "\" is too large",
                     "Let it read other materialized views instead of plain ones.", reason);
}

// Takes the lock in the mode that the refresh needs. Raising a lock later could deadlock with a
// reader that goes on to write. Rights are checked first, so that a role cannot lock views of
// others. Everything is checked again under the lock, because it may have changed while this
// session waited.
LockedView lock_view(Oid oid, Strategy asked, Oid role, MayRun may_run) {
  for (;;) {
    const View seen = read_view(oid);
    require_view_rights(role, seen);
    const LOCKMODE mode = lock_mode(choose(seen, read_state(seen), asked));
    pg::call([oid, mode] { LockRelationOid(oid, mode); });
    View view = read_view(oid);
    require_view_rights(role, view);
    // Without this check the session could run code of the new owner.
    if (!may_run(view.owner))
      throw pg::SqlError(ERRCODE_T_R_SERIALIZATION_FAILURE,
                         "materialized view " + qualified_name(view.schema, view.name) +
                             " was given to another role while its refresh began",
                         "Try again.");
    Choice choice = choose(view, read_state(view), asked);
    if (lock_mode(choice) <= mode) {
      require_sane_size(view);
      // The counts must be read after the lock and before the snapshot (engine/skip/freshness.cpp).
      Observation observation = observe(view);
      const bool audits = asked == Strategy::kAuto && begins_audit(view, observation, choice);
      return {std::move(view), std::move(choice), std::move(observation), audits};
    }
    // The state has changed so that a stronger lock is needed. The weaker one is released first to
    // avoid a deadlock.
    pg::call([oid, mode] { UnlockRelationOid(oid, mode); });
  }
}

Refreshed refresh_locked(const LockedView& locked) {
  const View& view = locked.view;
  const Work& work = work_of(locked.choice.strategy);
  Refreshed refreshed = {locked.choice, {}};
  // At read committed this is a new snapshot. At repeatable read it is that of the transaction.
  const TransactionId xmin = pg::call([] {
    PushCopiedSnapshot(GetTransactionSnapshot());
    UpdateActiveSnapshotCommandId();  // changes of this transaction are visible
    return GetActiveSnapshot()->xmin;
  });
  // The statement fires event triggers, which run with the path of the session. So it begins before
  // the path is fixed and ends after it is restored.
  std::optional<RefreshStatement> statement;
  if (work.statement != ServerStatement::kNone)
    statement.emplace(view, work.statement == ServerStatement::kRefreshConcurrently);
  Audit audit;
  RowSums* const sums = locked.audits_skipping ? &audit.sums : nullptr;
  pg::with_fixed_search_path([&] {
    if (locked.audits_skipping)
      audit = begin_audit(view, locked.seen, refreshed.choice.strategy == Strategy::kFull);
    KeyedRun keyed(view, locked.seen, xmin);
    work.run({view, refreshed, sums, statement ? &*statement : nullptr, keyed});
    keyed.record_other(refreshed.rows);
  });
  if (statement) statement->end();
  pg::call([] { PopActiveSnapshot(); });
  if (locked.audits_skipping) end_audit(view, locked.seen, audit, refreshed);
  // This comes last, because the fingerprint includes the changes that this refresh has made to the
  // view.
  remember_fresh(view, locked.seen, xmin);
  return refreshed;
}

std::optional<Choice> choose_skip(Oid oid, Strategy asked, Oid role) {
  if (asked != Strategy::kAuto) return std::nullopt;
  const View view = read_view(oid);
  require_view_rights(role, view);
  Freshness freshness = freshness_of(view);
  if (!freshness.is_fresh || is_audit_due(oid)) return std::nullopt;
  return Choice{Strategy::kSkip, std::move(freshness.reason)};
}

Refreshed refresh_view(Oid oid, Strategy asked, Oid role, MayRun may_run) {
  if (std::optional<Choice> skip = choose_skip(oid, asked, role)) {
    count_skip(oid);
    return {std::move(*skip), {}};
  }
  const LockedView locked = lock_view(oid, asked, role, may_run);
  return refresh_locked(locked);
}

}  // namespace metrics_refresh::engine
