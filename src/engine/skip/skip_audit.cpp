// Audits the strategy skip.
//
// An audit is a refresh by diff or in full of a view that is fresh. Such a refresh must not change
// a row. If it does, there are three possible causes. Only the last one raises an alarm:
//   the counts have changed as well     -> a table changed after the observation
//   only array_agg(x) differs           -> the definition does not fix this column
//   a fixed column differs              -> the fingerprint does not cover something
#include "engine/skip/skip_audit.hpp"

#include "extension/own_schema.hpp"
#include "extension/settings.hpp"
#include "shmem/change_counters.hpp"
#include "store/view_states.hpp"

namespace metrics_refresh::engine {
namespace {

bool is_same(Fingerprint a, Fingerprint b) { return a.high == b.high && a.low == b.low; }

void report(const View& view, const std::string& found) {
  const std::string message = "materialized view " + qualified_name(view.schema, view.name) +
                              " was skipped and not fresh: " + found;
  // The lambda must hold no object with a destructor, because ereport() may leave it by longjmp.
  const char* const text = message.c_str();
  pg::call([text] {
    ereport(WARNING, errmsg_internal("%s", text),
            errdetail("It is not skipped any more until the strategy of its job is set again."));
  });
}

// Adds the rows of the view to the sums. The snapshot sees the changes of this transaction.
void add_rows(const View& view, RowSums& sums, core::RowHash RowSums::*side) {
  const Oid oid = view.oid;
  pg::ActAs owner(view.owner, SECURITY_RESTRICTED_OPERATION);
  pg::call([oid, &sums, side] {
    CommandCounterIncrement();
    PushCopiedSnapshot(GetLatestSnapshot());
    UpdateActiveSnapshotCommandId();
    add_view_rows(oid, sums, side);
    PopActiveSnapshot();
  });
}

}  // namespace

bool is_audit_due(Oid view) {
  const int every = settings::audit_every();
  if (every <= 0) return false;
  // This run is the next skip, so it is counted as well.
  return pg::call([view] { return shmem::skips_of(view); }) + 1 >=
         static_cast<std::uint32_t>(every);
}

void count_skip(Oid view) {
  pg::call([view] { shmem::count_skip(view); });
}

// At repeatable read the snapshot may be older than the observation, for example if another view of
// the group has taken it. Changes in between would look like errors.
bool begins_audit(const View& view, const Observation& seen, Choice& choice) {
  if (!is_audit_due(view.oid) || pg::call([] { return IsolationUsesXactSnapshot(); }) ||
      !was_fresh(view, seen))
    return false;
  // A view that must be refreshed in full is audited in full. All others are compared row by row.
  choice.reason = "an audit of skipping";
  if (choice.strategy != Strategy::kFull) choice.strategy = Strategy::kDiff;
  return true;
}

Audit begin_audit(const View& view, const Observation& seen, bool is_full) {
  const Oid oid = view.oid;
  FixedRows fixed = {};
  if (!seen.read_by_functions.empty()) {
    // Bodies of functions are not examined for an order of rows.
    fixed.loose_reason = "what functions read may depend on the order in which rows are read";
  } else {
    pg::ActAs owner(view.owner, SECURITY_RESTRICTED_OPERATION);
    fixed = pg::call([oid] {
      Relation const relation = table_open(oid, NoLock);
      const FixedRows of_view = fixed_rows_of(relation);
      table_close(relation, NoLock);
      return of_view;
    });
  }
  Audit audit = pg::call([&fixed] { return prepare_audit(fixed); });
  // A refresh in full does not compare rows. The old ones are gone afterwards, so they are read
  // now.
  if (is_full) add_rows(view, audit.sums, &RowSums::old_rows);
  return audit;
}

void end_audit(const View& view, const Observation& seen, Audit& audit, Refreshed& refreshed) {
  const RowCounts& rows = refreshed.rows;
  const bool is_full = refreshed.choice.strategy == Strategy::kFull;  // which counts no rows
  if (is_full) add_rows(view, audit.sums, &RowSums::new_rows);
  const std::int64_t wrong =
      rows.inserted.value_or(0) + rows.updated.value_or(0) + rows.deleted.value_or(0);
  if (is_full ? !has_other_sums(audit) : wrong == 0) {
    refreshed.choice.reason = "an audit of skipping found nothing wrong";
    if (is_full && audit.fixed.loose_reason != nullptr)
      refreshed.choice.reason +=
          std::string(" beside what is not compared: ") + audit.fixed.loose_reason;
    return;
  }
  // A commit between the observation and the snapshot changes rows rightly. It has increased the
  // counts by now.
  const Observation now = observe(view);
  if (!now.reason.empty() || !is_same(now.rows.begun, seen.rows.begun)) {
    refreshed.choice.reason = "its tables changed as an audit of skipping began";
    return;
  }
  const std::string written =
      is_full ? "rows" : std::to_string(wrong) + (wrong == 1 ? " row" : " rows");
  if (!is_wrong(audit)) {
    refreshed.choice.reason = "an audit of skipping wrote " + written +
                              " anew, which is no alarm: " + audit.fixed.loose_reason;
    return;
  }
  const std::string found = "an audit of skipping corrected " + written;
  refreshed.choice.reason = found;
  extension::as_extension([&](pg::Spi& spi) {
    store::set_alarm(spi, {view.schema, view.name}, view.oid, found);
  });
  report(view, found);
}

void end_alarm(Oid view) {
  extension::as_extension([view](pg::Spi& spi) { store::clear_alarm(spi, view); });
}

}  // namespace metrics_refresh::engine
