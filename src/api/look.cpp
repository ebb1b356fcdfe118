// Functions that only look: is_super_admin, explain_refresh, worker_slots.
#include <algorithm>

#include "api/access.hpp"
#include "api/arguments.hpp"
#include "engine/choose.hpp"
#include "engine/unique_key.hpp"
#include "pg/privilege.hpp"
#include "pg/time.hpp"
#include "shmem/area.hpp"

namespace metrics_refresh::api {
namespace {

using pg::Param;

Param text_or_null(const std::string& text) {
  return text.empty() ? Param::null(TEXTOID) : Param(text);
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
  // As the caller: of jobs it shows what row-level security shows.
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
        " WHERE s.view_schema = $1 AND s.view_name = $2 ORDER BY s.next_due, s.job_id LIMIT 1",
        {view.schema, view.name});
    if (jobs.empty()) return;
    job_name = jobs.get_text(0, 1);
    if (const auto due = jobs.get_instant_or_null(0, 2)) next_due = Param(*due);
    strategy = jobs.get_text(0, 3);
  });
  std::string chosen;
  std::string reason;
  try {
    const engine::Choice choice = engine::choose(view, state, engine::parse_requested(strategy));
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
             text_or_null(index), depends_on, Param::nullable(job_name, TEXTOID), next_due});
}

const char* to_string(shmem::SlotState state) {
  return state == shmem::SlotState::kAssigned ? "starting" : "running";
}

Datum worker_slots(FunctionCallInfo call) {
  SetResult result(call);
  if (shmem::area() == nullptr) return 0;
  const std::vector<shmem::SlotView> slots = shmem::busy_slots(MyDatabaseId);
  std::vector<std::int64_t> jobs;
  for (const shmem::SlotView& view : slots) jobs.push_back(view.slot.run.job_id);
  std::vector<std::int64_t> visible;
  const bool sees_all = pg::is_super_admin();  // runs of jobs that were removed as well
  pg::with_fixed_search_path([&] {
    pg::Spi spi;
    const pg::Rows rows = spi.query(
        "SELECT job_id FROM metrics_refresh.job WHERE job_id = ANY ($1)", {Param::array(jobs)});
    for (std::size_t i = 0; i < rows.size(); ++i) visible.push_back(rows.get_int64(i, 1));
  });
  for (const shmem::SlotView& view : slots) {
    const shmem::WorkerSlot& slot = view.slot;
    if (!sees_all && std::find(visible.begin(), visible.end(), slot.run.job_id) == visible.end())
      continue;
    const bool started = slot.started_at != 0;
    result.add({slot.run.run_id == 0 ? Param::null(INT8OID) : Param(slot.run.run_id),
                Param(slot.run.job_id), Param(INT4OID, Int32GetDatum(slot.pid)),
                Param(to_string(slot.state)),
                Param(slot.run.trigger == shmem::Trigger::kManual ? "manual" : "schedule"),
                Param(pg::to_instant(slot.run.due)),
                started ? Param(pg::to_instant(slot.started_at)) : Param::null(TIMESTAMPTZOID),
                Param(slot.missed)});
  }
  return 0;
}

}  // namespace
}  // namespace metrics_refresh::api

extern "C" {
MR_SQL_FUNCTION(mr_is_super_admin);
MR_SQL_FUNCTION(mr_explain_refresh);
MR_SQL_FUNCTION(mr_worker_slots);

Datum mr_is_super_admin(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  return metrics_refresh::pg::boundary(
      [] { return BoolGetDatum(metrics_refresh::pg::is_super_admin()); });
}
Datum mr_explain_refresh(PG_FUNCTION_ARGS) {
  return metrics_refresh::pg::boundary([&] { return metrics_refresh::api::explain(fcinfo); });
}
Datum mr_worker_slots(PG_FUNCTION_ARGS) {
  return metrics_refresh::pg::boundary([&] { return metrics_refresh::api::worker_slots(fcinfo); });
}
}
