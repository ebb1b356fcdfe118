// Functions that only look: is_super_admin, explain_refresh.
#include "api/access.hpp"
#include "api/arguments.hpp"
#include "engine/choose.hpp"
#include "engine/freshness.hpp"
#include "engine/incremental_setup.hpp"
#include "engine/refresh.hpp"
#include "engine/unique_key.hpp"
#include "pg/privilege.hpp"

namespace metrics_refresh::api {
namespace {

using pg::Param;

Param text_or_null(const std::string& text) {
  return text.empty() ? Param::null(TEXTOID) : Param(text);
}

std::string say_incremental(const engine::View& view, const engine::ViewState& state) {
  const std::string why_not = engine::why_not_incremental(view);
  if (!why_not.empty()) return "not possible: " + why_not;
  if (!state.is_incremental) return "possible";
  return state.demoted.empty() ? "set up" : "demoted: " + state.demoted;
}

Datum explain(FunctionCallInfo call) {
  const engine::View view =
      engine::read_view(Arguments::required(Arguments(call).get_oid(0), "view_name"));
  const engine::ViewState state = engine::read_state(view);
  Param depends_on = Param::null(TEXTARRAYOID);
  Param next_due = Param::null(TIMESTAMPTZOID);
  std::optional<std::string> job_name;
  std::string strategy = "auto";
  MemoryContext const context = CurrentMemoryContext;
  // As the caller: of jobs it shows what row-level security shows. The view's own before a group.
  pg::with_fixed_search_path([&] {
    pg::Spi spi;
    const pg::Rows reads = spi.query(
        "SELECT array_agg(quote_ident(depends_on_schema) || '.' || quote_ident(depends_on_name)"
        " ORDER BY depth, depends_on_schema, depends_on_name)"
        " FROM metrics_refresh.view_dependencies WHERE view_oid = $1 HAVING count(*) > 0",
        {Param::oid(view.oid)});
    if (!reads.empty()) depends_on = reads.copied(0, 1, context);
    const pg::Rows jobs = spi.query(
        "SELECT s.job_name, s.next_due, j.strategy FROM metrics_refresh.job_status s"
        " JOIN metrics_refresh.job j USING (job_id)"
        " WHERE s.view_schema = $1 AND s.view_name = $2 OR NOT j.one_time AND (j.group_schema = $1"
        "  OR EXISTS (SELECT FROM metrics_refresh.job_member m WHERE m.job_id = j.job_id"
        "   AND m.view_schema = $1 AND m.view_name = $2))"
        " ORDER BY s.kind = 'group', s.next_due, s.job_id LIMIT 1",
        {view.schema, view.name});
    if (jobs.empty()) return;
    job_name = jobs.get_text(0, 1);
    if (const auto due = jobs.get_instant_or_null(0, 2)) next_due = Param(*due);
    strategy = jobs.get_text(0, 3);
  });
  // Whether tables change is not for everybody to know.
  engine::Freshness freshness = {false, ""};
  if (engine::has_view_rights(GetUserId(), view)) freshness = engine::freshness_of(view);
  std::string chosen;
  std::string reason;
  try {
    const engine::Requested requested = engine::job_request(strategy);
    engine::Choice choice = engine::choose(view, state, requested);
    if (requested == engine::Requested::kAuto && freshness.is_fresh)
      choice = {engine::Strategy::kSkip, freshness.reason};
    chosen = engine::to_string(choice.strategy);
    reason = choice.reason;
  } catch (const pg::SqlError& error) {
    chosen = "error";
    reason = error.what();
  }
  const std::string index =
      state.unique_index.empty() ? engine::propose_unique_index(view) : std::string();
  return row_result(
      call, {Param(chosen), Param(reason), Param(state.populated), text_or_null(state.unique_index),
             text_or_null(index), depends_on, Param::nullable(job_name, TEXTOID), next_due,
             text_or_null(freshness.reason), say_incremental(view, state)});
}

}  // namespace
}  // namespace metrics_refresh::api

extern "C" {
MR_SQL_FUNCTION(mr_is_super_admin);
MR_SQL_FUNCTION(mr_explain_refresh);

Datum mr_is_super_admin(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  return metrics_refresh::pg::boundary(
      [] { return BoolGetDatum(metrics_refresh::pg::is_super_admin()); });
}
Datum mr_explain_refresh(PG_FUNCTION_ARGS) {
  return metrics_refresh::pg::boundary([&] { return metrics_refresh::api::explain(fcinfo); });
}
}
