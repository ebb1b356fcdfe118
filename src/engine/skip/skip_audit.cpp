#include "engine/skip/skip_audit.hpp"

#include "extension/settings.hpp"
#include "pg/identity.hpp"
#include "shmem/change_counters.hpp"
#include "store/view_states.hpp"

namespace metrics_refresh::engine {
namespace {

bool is_same(Fingerprint a, Fingerprint b) { return a.high == b.high && a.low == b.low; }

void report(const View& view, const std::string& found) {
  const std::string message = "materialized view " + qualified_name(view.schema, view.name) +
                              " was skipped and not fresh: " + found;
  const char* const text = message.c_str();
  pg::call([text] {
    ereport(WARNING, errmsg_internal("%s", text),
            errdetail("It is not skipped any more until the strategy of its job is set again."));
  });
}

}  // namespace

bool is_audit_due(Oid view) {
  const int every = settings::audit_every();
  if (every <= 0) return false;
  return pg::call([view] { return shmem::skips_of(view); }) + 1 >=
         static_cast<std::uint32_t>(every);
}

void note_skip(Oid view) {
  pg::call([view] { shmem::note_skip(view); });
}

// At repeatable read the snapshot is another transaction's business as well.
bool begins_audit(const View& view, const Observation& seen, Choice& choice) {
  if (!is_audit_due(view.oid) || pg::call([] { return IsolationUsesXactSnapshot(); }) ||
      !was_fresh(view, seen))
    return false;
  if (choice.strategy != Strategy::kDiff && choice.strategy != Strategy::kIncremental) return false;
  choice = {Strategy::kDiff, "an audit of skipping"};
  return true;
}

namespace {

std::string count_of_rows(std::int64_t count, const char* one, const char* more) {
  return std::to_string(count) + (count == 1 ? one : more);
}

// What was different is fixed by the definition.
bool is_wrong(const Audit& audit) {
  if (audit.fixed.loose == nullptr) return true;
  const core::RowHash& before = audit.sums.old_rows;
  const core::RowHash& now = audit.sums.new_rows;
  return audit.fixed.has_fixed_count && (before.high != now.high || before.low != now.low);
}

}  // namespace

Audit prepare_audit(const View& view, const Observation& seen) {
  const Oid oid = view.oid;
  Audit audit;
  if (!seen.read_by_functions.empty()) {
    audit.fixed.loose = "what functions read may depend on the order in which rows are read";
    return audit;
  }
  {
    pg::ActAs owner(view.owner, SECURITY_RESTRICTED_OPERATION);
    audit.fixed = pg::call([oid] {
      Relation const relation = table_open(oid, NoLock);
      const FixedRows fixed = fixed_rows_of(relation);
      table_close(relation, NoLock);
      return fixed;
    });
  }
  audit.sums.columns = audit.fixed.columns;
  audit.sums.column_count = audit.fixed.column_count;
  return audit;
}

void end_audit(const View& view, const Observation& seen, const Audit& audit,
               Refreshed& refreshed) {
  const RowCounts& rows = refreshed.rows;
  const std::int64_t wrong =
      rows.inserted.value_or(0) + rows.updated.value_or(0) + rows.deleted.value_or(0);
  if (wrong == 0) {
    refreshed.choice.reason = "an audit of skipping found nothing wrong";
    return;
  }
  const Observation now = observe(view);
  if (!now.obstacle.empty() || !is_same(now.rows.begun, seen.rows.begun)) {
    refreshed.choice.reason = "its tables changed as an audit of skipping began";
    return;
  }
  if (!is_wrong(audit)) {
    refreshed.choice.reason = "an audit of skipping wrote " +
                              count_of_rows(wrong, " row", " rows") +
                              " anew, which is no alarm: " + audit.fixed.loose;
    return;
  }
  const std::string found = "an audit of skipping mended " +
                            count_of_rows(wrong, " row that was", " rows that were") + " wrong";
  refreshed.choice.reason = found;
  pg::as_extension([&] {
    pg::Spi spi;
    store::set_alarm(spi, {view.schema, view.name}, view.oid, found);
  });
  report(view, found);
}

void end_alarm(Oid view) {
  pg::as_extension([view] {
    pg::Spi spi;
    store::clear_alarm(spi, view);
  });
}

}  // namespace metrics_refresh::engine
