#include "core/scheduler/retry_policy.hpp"

#include "engine/incremental/apply/keyed_run.hpp"

#include "engine/incremental/capture/capture_dependencies.hpp"
#include "extension/own_schema.hpp"
#include "extension/settings.hpp"
#include "pg/identity.hpp"
#include "pg/time.hpp"
#include "pg/transaction.hpp"

// KeyedRun connects a refresh with the view's row in incremental_view. It reads the row, decides
// whether keys can be used, runs the refresh as the view's owner, and writes the row for the next
// time. The row has the state up to which all changes were captured (`uncaptured`) and the time of
// the last refresh (`as_of`). Its `fingerprint` identifies the definition and the triggers that the
// keys belong to.
//
// Example: a view with the strategy incremental
//   a sale is added         -> run(): one key, its rows are computed again
//   the server is restarted -> run(): reason_not_captured() has a reason; all rows are compared
//   a refresh by full       -> run() is not called; record_other() stores the new fingerprint

namespace metrics_refresh::engine {
namespace {

std::string count_of(std::int64_t n, const char* one, const char* several) {
  return std::to_string(n) + " " + (n == 1 ? one : several);
}

}  // namespace

KeyedRun::KeyedRun(const View& view, const Observation& seen, TransactionId snapshot_xmin)
    : view_(view), seen_(seen), is_all_captured_(is_all_captured(seen, snapshot_xmin)) {
  extension::read_as_extension(
      [this](pg::Spi& spi) { record_ = store::find_incremental(spi, view_.oid); });
}

// Returns why changes may have bypassed the triggers in a way that the catalogs do not show.
std::string KeyedRun::reason_not_captured() const {
  if (!seen_.uncaptured_reason.empty()) return seen_.uncaptured_reason;
  if (record_->uncaptured.empty())
    return "it was not known at the last refresh whether all changes are counted";
  if (record_->uncaptured != capture_state())
    return "since the last refresh the server was restarted, or something changed that the "
           "triggers do not see";
  return "";
}

// Returns a text that changes if changes of the tables bypass the triggers, or if another
// transaction writes rows of the view. The second case matters because core's REFRESH may write the
// result of an older snapshot. The keys of changes that it did not see are already deleted.
std::string KeyedRun::capture_state() const {
  const std::string of_rows = fingerprint_of_rows(view_);
  return of_rows.empty() ? "" : to_text(seen_.uncaptured) + of_rows;
}

// Keys and conditions are also evaluated for rows that the definition filters out first. Such an
// evaluation can fail (for example, divide by zero) even though the definition succeeds. So an
// error leads to a refresh of all rows, in which the definition decides. A transient error is
// passed on, because a retry of the run can succeed.
KeyedRefresh KeyedRun::refresh(KeyedState state) const {
  const std::string text = "refresh of " + qualified_name(view_.schema, view_.name);
  const char* query = text.c_str();
  const Oid oid = view_.oid;
  const auto refresh_now = [&] {
    pg::ActAs owner(view_.owner, SECURITY_RESTRICTED_OPERATION);
    return pg::call([=] { return refresh_by_keys(oid, state, query); });
  };
  // No key is evaluated if all rows are compared, so no subtransaction is needed.
  if (state.reason != nullptr || state.weaker_reason != nullptr) return refresh_now();
  KeyedRefresh done;
  const std::optional<pg::PgError> error = pg::in_subtransaction([&] { done = refresh_now(); });
  if (!error) return done;
  if (core::is_transient(unpack_sql_state(error->sqlstate()))) throw *error;
  const std::string reason = std::string("rows could not be computed by keys: ") + error->what();
  const char* const reason_text = reason.c_str();
  // A copy in the memory context, because the text becomes part of the result.
  state.reason = pg::call([reason_text] { return pstrdup(reason_text); });
  return refresh_now();
}

bool KeyedRun::run(Refreshed& refreshed, RowSums* sums) {
  Choice& choice = refreshed.choice;
  const bool by_keys = choice.strategy == Strategy::kIncremental;
  if (!record_) return false;
  const std::string reason = by_keys ? "" : choice.reason;
  const std::string weaker_reason = by_keys ? reason_not_captured() : "";
  const int audit_every = settings::audit_every();
  KeyedState state = {};
  state.id = record_->id;
  state.fingerprint = pg::c_str_or_null(record_->fingerprint);
  state.reason = pg::c_str_or_null(reason);
  state.weaker_reason = pg::c_str_or_null(weaker_reason);
  if (record_->as_of) state.last_now = pg::to_timestamptz(*record_->as_of);
  state.rows = record_->rows;
  state.sums = sums;
  state.audit = audit_every > 0 && record_->runs + 1 >= audit_every;
  const KeyedRefresh done = refresh(state);
  const Written& written = done.difference.written;
  const std::string fingerprint = done.fingerprint != nullptr ? done.fingerprint : "";
  if (done.reason != nullptr) {
    choice = {Strategy::kDiff, done.reason};
    // The audit counts refreshes by keys since all rows were last compared.
    record_->rows = done.difference.rows;
    record_->runs = 0;
    // A restored dump has lost the dependencies, and the first refresh after it is never by keys.
    if (fingerprint != record_->fingerprint) {
      const int64 id = record_->id;
      pg::call([id] { add_extension_dependencies(id); });
    }
  } else {
    choice.reason = done.keys == 0 ? "nothing that it reads has changed"
                                   : "the rows of " + count_of(done.keys, "key", "keys") +
                                         " were computed anew";
    record_->rows += written.inserted - written.deleted;
    record_->runs = state.audit ? 0 : record_->runs + 1;
  }
  record_->fingerprint = fingerprint;
  refreshed.rows = {record_->rows, written.inserted, written.updated, written.deleted};
  if (const std::int64_t wrong = done.audit.inserted + done.audit.updated + done.audit.deleted;
      wrong > 0) {
    record_->rows += done.audit.inserted - done.audit.deleted;
    refreshed.rows.total = record_->rows;
    if (done.loose_reason != nullptr) {
      choice.reason += "; an audit wrote " + count_of(wrong, "row", "rows") +
                       " anew, which is no alarm: " + done.loose_reason;
    } else {
      report_audit(wrong);
      choice.reason += "; " + record_->demoted;
    }
  } else if (done.reason == nullptr && state.audit) {
    choice.reason += "; an audit of all rows found nothing wrong";
  }
  save();
  is_done_ = true;
  return true;
}

void KeyedRun::report_audit(std::int64_t rows) {
  // From now on, `demoted` keeps the view at strategy diff. The user must find out about it: the
  // keys did not cover a change.
  record_->demoted = "an audit corrected " + count_of(rows, "row", "rows");
  const std::string message = "incremental refresh of materialized view " +
                              qualified_name(view_.schema, view_.name) + ": " + record_->demoted;
  const char* text = message.c_str();
  pg::call([text] {
    ereport(WARNING, errmsg_internal("%s", text),
            errdetail("It is refreshed by diff until its strategy is set again."));
  });
}

void KeyedRun::record_other(const RowCounts& rows) {
  if (!record_ || is_done_) return;
  const Oid oid = view_.oid;
  const int64 id = record_->id;
  const char* fingerprint = nullptr;
  {
    pg::ActAs owner(view_.owner, SECURITY_RESTRICTED_OPERATION);
    fingerprint = pg::call([=] {
      // A full refresh has replaced the storage of the view; this makes it visible.
      CommandCounterIncrement();
      return discard_captured_keys(oid, id);
    });
  }
  record_->fingerprint = fingerprint != nullptr ? fingerprint : "";
  record_->rows = rows.total;
  record_->runs = 0;
  save();
}

void KeyedRun::save() {
  // If the part of the tables is unchanged, then no change has bypassed the triggers since the last
  // time. Otherwise the text stays empty, and the next refresh compares all rows.
  if (is_all_captured_ || record_->uncaptured.rfind(to_text(seen_.uncaptured), 0) == 0)
    record_->uncaptured = capture_state();
  else
    record_->uncaptured.clear();
  record_->as_of = pg::to_instant(pg::call([] { return GetCurrentTransactionStartTimestamp(); }));
  extension::as_extension(
      [this](pg::Spi& spi) { store::update_incremental(spi, *record_, view_.schema, view_.name); });
}

}  // namespace metrics_refresh::engine
