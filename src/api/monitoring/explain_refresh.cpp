// Functions that only read: is_super_admin() and explain_refresh().
//
// explain_refresh() makes the same decisions as the next run of the view, with the settings of its
// owner and its job. It then rolls back.
#include "api/access.hpp"
#include "api/arguments.hpp"
#include "engine/incremental/setup/setup.hpp"
#include "engine/refresh.hpp"
#include "engine/skip/freshness.hpp"
#include "engine/strategies.hpp"
#include "engine/view/own_jobs.hpp"
#include "engine/view/owner_settings.hpp"
#include "engine/view/unique_key.hpp"
#include "extension/own_schema.hpp"
#include "extension/privilege.hpp"
#include "pg/identity.hpp"
#include "pg/transaction.hpp"
#include "store/jobs.hpp"

namespace metrics_refresh::api {
namespace {

using pg::Param;

// Whether a job with the strategy incremental could refresh this view, or does.
std::string incremental_text(const engine::View& view, const engine::ViewState& state) {
  const std::string reason = engine::reason_not_incremental(view);
  if (!reason.empty()) return "not possible: " + reason;
  if (!state.is_incremental) return "possible";
  return state.demoted.empty() ? "set up" : "demoted: " + state.demoted;
}

// Information about the view that is read with the rights of the caller, so that only jobs that the
// caller may see appear. A job for the view alone comes before a group.
struct ViewContext {
  Param depends_on = Param::null(TEXTARRAYOID);
  Param next_due = Param::null(TIMESTAMPTZOID);
  std::optional<std::string> job_name;
  store::Strategy strategy = store::Strategy::kAuto;
  pg::Settings settings;
};

ViewContext read_view_context(const engine::View& view, MemoryContext context) {
  ViewContext found;
  std::int64_t job_id = 0;
  pg::with_own_sql([&] {
    pg::Spi spi;
    const pg::Rows reads = spi.query(
        "SELECT array_agg(quote_ident(depends_on_schema) || '.' || quote_ident(depends_on_name)"
        " ORDER BY depth, depends_on_schema, depends_on_name) AS depends_on"
        " FROM metrics_refresh.view_dependencies WHERE view_oid = $1 HAVING count(*) > 0",
        {Param::oid(view.oid)});
    // The value must outlive the SPI connection.
    if (!reads.empty()) found.depends_on = reads.copied(0, "depends_on", context);
    const pg::Rows jobs = spi.query(
        "SELECT s.job_name, s.next_due, j.strategy, j.job_id FROM metrics_refresh.job_status s"
        " JOIN metrics_refresh.job j USING (job_id)"
        " WHERE s.view_schema = $1 AND s.view_name = $2 OR NOT j.one_time AND (j.group_schema = $1"
        "  OR EXISTS (SELECT FROM metrics_refresh.job_member m WHERE m.job_id = j.job_id"
        "   AND m.view_schema = $1 AND m.view_name = $2))"
        " ORDER BY s.kind = 'group', s.next_due, s.job_id LIMIT 1",
        {view.schema, view.name});
    if (jobs.empty()) return;
    found.job_name = jobs.get_text(0, "job_name");
    if (const auto due = jobs.get_instant_or_null(0, "next_due")) found.next_due = Param(*due);
    found.strategy = store::from_column<store::Strategy>(jobs.get_text(0, "strategy"));
    job_id = jobs.get_int64(0, "job_id");
  });
  if (job_id != 0)
    // The job is visible to the caller. The settings are needed for the decision, but are not
    // shown.
    extension::as_extension([&](pg::Spi& spi) {
      if (const auto job = store::find_job(spi, job_id)) found.settings = job->settings;
    });
  return found;
}

// The freshness as the next run of the view would find it.
engine::Freshness find_freshness(const engine::View& view, const pg::Settings& of_job) {
  engine::Freshness freshness;
  const std::optional<pg::PgError> error = pg::in_subtransaction([&] {
    engine::with_settings_of(view.owner, of_job,
                             [&] { freshness = engine::freshness_of(view, true); });
  });
  // The error is the reason why the view is not skipped.
  if (error) return {false, error->what()};
  return freshness;
}

std::vector<Param> explain(const engine::View& view, MemoryContext context) {
  const engine::ViewState state = engine::read_state(view);
  const ViewContext view_context = read_view_context(view, context);
  const engine::Freshness freshness = find_freshness(view, view_context.settings);
  const bool differ = engine::settings_of_own_jobs(view).differ;
  std::string chosen;
  std::string reason;
  try {
    engine::require_sane_size(view);
    const engine::Choice choice =
        engine::choose(view, state, engine::asked_by_job(view_context.strategy), freshness);
    chosen = store::to_text(choice.strategy);
    reason = choice.reason;
    // A refresh that is not possible is a result of explain_refresh(), not an error.
  } catch (const pg::SqlError& error) {
    chosen = "error";
    reason = error.what();
    if (error.sqlstate() == ERRCODE_STATEMENT_TOO_COMPLEX) reason += ": " + error.detail();
  }
  if (differ) reason += "; its jobs have different settings, and refresh() goes by none of them";
  const std::string index =
      state.unique_index.empty() ? engine::propose_unique_index(view) : std::string();
  return {Param(chosen),
          Param(reason),
          Param(state.populated),
          Param::text_or_null(state.unique_index),
          Param::text_or_null(index),
          view_context.depends_on,
          Param::nullable(view_context.job_name, TEXTOID),
          view_context.next_due,
          Param::text_or_null(freshness.reason),
          Param(incremental_text(view, state))};
}

// The longest wait for a lock, unless the session's own limit is shorter. Locks are released at the
// end.
constexpr int kLockTimeout = 2000;

void limit_lock_waits() {
  pg::call([] {
    if (LockTimeout > 0 && LockTimeout <= kLockTimeout) return;
    // GUC_ACTION_LOCAL: the rollback restores the value.
    (void)set_config_option("lock_timeout", psprintf("%d", kLockTimeout), PGC_USERSET,
                            PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
  });
}

Datum explain_refresh(FunctionCallInfo call) {
  const engine::View view =
      engine::read_view(Arguments::required(Arguments(call).get_oid(0), "view_name"));
  require_refresh_rights(view);
  MemoryContext const context = CurrentMemoryContext;
  std::vector<Param> row;
  pg::in_discarded_subtransaction([&] {
    limit_lock_waits();
    row = explain(view, context);
  });
  return row_result(call, row);
}

Datum caller_is_super_admin(FunctionCallInfo) { return BoolGetDatum(extension::is_super_admin()); }

}  // namespace

MR_SQL_FUNCTION(mr_is_super_admin, caller_is_super_admin);
MR_SQL_FUNCTION(mr_explain_refresh, explain_refresh);

}  // namespace metrics_refresh::api
