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
#include "engine/diff/diff.hpp"
#include "engine/incremental/apply/keyed_run.hpp"
#include "engine/incremental/capture/consumers.hpp"
#include "engine/refresh_statement.hpp"
#include "engine/skip/skip_audit.hpp"
#include "pg/identity.hpp"
#include "pg/transaction.hpp"

namespace metrics_refresh::engine {
namespace {

bool is_unsupported(const pg::PgError& error) {
  // Some access methods say so without an error code of its own.
  return error.sqlstate() == ERRCODE_FEATURE_NOT_SUPPORTED ||
         error.sqlstate() == ERRCODE_INTERNAL_ERROR;
}

// The lock is raised only here: who reads the view and waits for a refresh of it meanwhile may be
// in a deadlock with this, which the server ends.
std::int64_t run_concurrently_or_full(const View& view, RefreshStatement& statement,
                                      Choice& choice) {
  std::int64_t rows = 0;
  const std::optional<pg::PgError> error = pg::in_subtransaction([&] { rows = statement.run(); });
  if (!error) return rows;
  if (!is_unsupported(*error)) throw *error;
  choice = {Strategy::kFull, std::string("concurrently failed: ") + error->what()};
  const Oid oid = view.oid;
  pg::call([oid] { LockRelationOid(oid, AccessExclusiveLock); });
  return statement.run_in_full();
}

RowCounts run_diff(const View& view, RowSums* sums) {
  const std::string text = "refresh of " + qualified_name(view.schema, view.name);
  const char* query = text.c_str();
  const Oid oid = view.oid;
  pg::ActAs owner(view.owner, SECURITY_RESTRICTED_OPERATION);
  const Difference difference = pg::call([=] {
    Relation const opened = open_for_refresh(oid);
    Consumers consumers;
    const Difference found = refresh_by_difference(opened, nullptr, query, consumers, sums);
    table_close(opened, NoLock);
    return found;
  });
  const Written& written = difference.written;
  return {difference.rows, written.inserted, written.updated, written.deleted};
}

LOCKMODE lock_mode(const Choice& choice) {
  return choice.strategy == Strategy::kFull ? AccessExclusiveLock : ExclusiveLock;
}

}  // namespace

store::Outcome to_outcome(const Choice& choice, const RowCounts& rows) {
  store::Outcome outcome;
  outcome.status = "success";
  outcome.strategy = to_string(choice.strategy);
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
  const char* const why = pg::call([oid]() -> const char* {
    Relation const relation = try_table_open(oid, AccessShareLock);
    if (relation == nullptr) return nullptr;
    const char* const found = why_not_refreshed(definition_of(relation), oid);
    table_close(relation, AccessShareLock);
    return found;
  });
  if (why == nullptr) return;
  throw pg::SqlError(ERRCODE_STATEMENT_TOO_COMPLEX,
                     "the definition of materialized view \"" + view.name + "\" is too large",
                     "Let it read other materialized views instead of plain ones.", why);
}

// Locks the view at once as the refresh needs it: raising a lock later could deadlock with a reader
// who goes on to write. Rights come first, so that nobody locks what is not theirs; and all is
// looked at again under the lock, for it may have changed while this waited.
LockedView lock_view(Oid oid, Requested requested, Oid role, MayRun may_run) {
  for (;;) {
    const View seen = read_view(oid);
    require_view_rights(role, seen);
    const LOCKMODE mode = lock_mode(choose(seen, read_state(seen), requested));
    pg::call([oid, mode] { LockRelationOid(oid, mode); });
    View view = read_view(oid);
    require_view_rights(role, view);
    // Without this check the session could run code of the new owner.
    if (!may_run(view.owner))
      throw pg::SqlError(ERRCODE_T_R_SERIALIZATION_FAILURE,
                         "materialized view " + qualified_name(view.schema, view.name) +
                             " was given to another role while its refresh began",
                         "Try again.");
    Choice choice = choose(view, read_state(view), requested);
    if (lock_mode(choice) <= mode) {
      require_sane_size(view);
      // The counts must be read after the lock and before the snapshot (engine/skip/freshness.cpp).
      Observation observation = observe(view);
      const bool audits = requested == Requested::kAuto && begins_audit(view, observation, choice);
      return {std::move(view), std::move(choice), std::move(observation), audits};
    }
    // The state has changed so that a stronger lock is needed. The weaker one is released first to
    // avoid a deadlock.
    pg::call([oid, mode] { UnlockRelationOid(oid, mode); });
  }
}

Refreshed refresh_locked(const LockedView& locked) {
  const View& view = locked.view;
  Refreshed refreshed = {locked.choice, {}};
  RowCounts& rows = refreshed.rows;
  const TransactionId xmin = pg::call([] {
    PushCopiedSnapshot(GetTransactionSnapshot());
    UpdateActiveSnapshotCommandId();  // changes of this transaction are visible
    return GetActiveSnapshot()->xmin;
  });
  // The statement fires event triggers, which run with the path of the session. So it begins before
  // the path is fixed and ends after it is restored.
  std::optional<RefreshStatement> statement;
  if (const Strategy chosen = locked.choice.strategy;
      chosen == Strategy::kConcurrently || chosen == Strategy::kFull)
    statement.emplace(view, chosen == Strategy::kConcurrently);
  Audit audit;
  RowSums* const sums = locked.audits_skipping ? &audit.sums : nullptr;
  pg::with_fixed_search_path([&] {
    if (locked.audits_skipping)
      audit = prepare_audit(view, locked.seen, refreshed.choice.strategy == Strategy::kFull);
    KeyedRun keyed(view, locked.seen, xmin);
    if (keyed.run(refreshed, sums)) return;
    switch (locked.choice.strategy) {
      case Strategy::kSkip:
        break;
      case Strategy::kIncremental:
        refreshed.choice = {Strategy::kDiff, "it was set up after the transaction's snapshot"};
        rows = run_diff(view, nullptr);
        break;
      case Strategy::kDiff:
        rows = run_diff(view, sums);
        break;
      case Strategy::kConcurrently:
        rows.total = locked.choice.may_be_unsupported
                         ? run_concurrently_or_full(view, *statement, refreshed.choice)
                         : statement->run();
        break;
      case Strategy::kFull:
        rows.total = statement->run();
        break;
    }
    keyed.settle(rows);
  });
  if (statement) statement->end();
  pg::call([] { PopActiveSnapshot(); });
  if (locked.audits_skipping) end_audit(view, locked.seen, audit, refreshed);
  // This comes last, because the fingerprint includes the changes that this refresh has made to the
  // view.
  remember_fresh(view, locked.seen, xmin);
  return refreshed;
}

std::optional<Choice> choose_skip(Oid oid, Requested requested, Oid role) {
  if (requested != Requested::kAuto) return std::nullopt;
  const View view = read_view(oid);
  require_view_rights(role, view);
  Freshness freshness = freshness_of(view);
  if (!freshness.is_fresh || is_audit_due(oid)) return std::nullopt;
  return Choice{Strategy::kSkip, std::move(freshness.reason)};
}

Refreshed refresh_view(Oid oid, Requested requested, Oid role, MayRun may_run) {
  if (std::optional<Choice> skip = choose_skip(oid, requested, role)) {
    note_skip(oid);
    return {std::move(*skip), {}};
  }
  const LockedView locked = lock_view(oid, requested, role, may_run);
  return refresh_locked(locked);
}

}  // namespace metrics_refresh::engine
