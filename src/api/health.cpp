// health_check: gathers facts, as the caller and so through row-level security, and lets core
// judge.
#include "core/health.hpp"

#include "api/access.hpp"
#include "api/arguments.hpp"
#include "api/schedule_text.hpp"
#include "engine/unique_key.hpp"
#include "pg/privilege.hpp"
#include "pg/settings.hpp"
#include "pg/time.hpp"
#include "pg/time_zone.hpp"
#include "shmem/area.hpp"

namespace metrics_refresh::api {
namespace {

constexpr char kSelectFacts[] =
    "SELECT j.job_name, j.view_schema, j.view_name, j.strategy, j.owner, j.schedule, j.timezone,"
    " j.effective_from, j.view_oid, s.suspend_reason, s.last_success_at,"
    " coalesce(s.last_error, ''), l.finished, l.successful, l.mean, coalesce(s.suspended_at > "
    "j.effective_from, false), j.owner_oid"
    " FROM metrics_refresh.job j LEFT JOIN metrics_refresh.job_state s USING (job_id)"
    " CROSS JOIN LATERAL (SELECT count(*) AS finished,"
    "  count(*) FILTER (WHERE r.status = 'success') AS successful,"
    "  avg(r.duration_ms) FILTER (WHERE r.status = 'success') AS mean"
    "  FROM metrics_refresh.run_log r WHERE r.job_id = j.job_id"
    "  AND r.status NOT IN ('running', 'skipped')"
    "  AND r.started_at >= now() - make_interval(hours => $1::int)) l"
    " WHERE j.active ORDER BY j.job_name";

core::HealthLimits limits() {
  return {settings::health_window_hours(),          settings::health_success_rate_warning(),
          settings::health_success_rate_critical(), settings::health_duration_warning(),
          settings::health_stale_warning(),         settings::health_stale_critical()};
}

// How many due times have passed since `since`, at most `most`.
int due_times_since(core::Instant since, core::Instant now, const std::string& schedule,
                    const std::string& zone_name, int most) {
  const core::Schedule parsed = parse_schedule(schedule);
  const core::TimeZone& zone = pg::time_zone_or_default(zone_name);
  int count = 0;
  for (auto due = parsed.next_after(since, zone); due && *due <= now && count < most; ++count)
    due = parsed.next_after(*due, zone);
  return count;
}

core::JobFacts read_facts(const pg::Rows& rows, std::size_t i, core::Instant now) {
  core::JobFacts facts;
  facts.name = rows.get_text(i, 1);
  facts.owner = rows.get_text(i, 5);
  facts.owner_exists = !pg::role_name(rows.get_oid(i, 17)).empty();
  if (rows.get_bool(i, 16)) facts.suspended = rows.get_text_or_null(i, 10).value_or("");
  facts.last_success = rows.get_instant_or_null(i, 11);
  facts.last_error = rows.get_text(i, 12);
  facts.finished_runs = rows.get_int64(i, 13);
  facts.successful_runs = rows.get_int64(i, 14);
  if (!rows.is_null(i, 15)) facts.mean_duration_ms = rows.get_float8(i, 15);
  if (const auto schedule = rows.get_text_or_null(i, 6)) {
    const core::Instant since =
        std::max(rows.get_instant(i, 8), facts.last_success.value_or(core::Instant::min()));
    facts.due_since_success =
        due_times_since(since, now, *schedule, rows.get_text_or_null(i, 7).value_or(""),
                        settings::health_stale_critical());
  }
  if (rows.is_null(i, 3)) return facts;
  const std::string schema = rows.get_text(i, 2);
  const std::string name = rows.get_text(i, 3);
  facts.view = schema + "." + name;
  const Oid oid = engine::resolve_view(schema, name, rows.get_oid(i, 9));
  facts.view_exists = OidIsValid(oid);
  if (!facts.view_exists) return facts;
  // A check of health waits for nobody: of a view that is being written anew nothing is said.
  const engine::View view = engine::read_view(oid);
  const std::optional<engine::ViewState> state = engine::try_read_state(view);
  facts.wants_unique_index = state && state->unique_index.empty() && rows.get_text(i, 4) != "full";
  if (facts.wants_unique_index) facts.index_to_create = engine::propose_unique_index(view);
  return facts;
}

core::ServerFacts server_facts(pg::Spi& spi) {
  core::ServerFacts facts;
  facts.log_retention = settings::log_retention();
  facts.admin_problem = pg::admin_settings_problem();
  // For others row-level security would have the whole log walked through.
  if (pg::is_super_admin())
    facts.oldest_log_row =
        spi.query("SELECT min(started_at) FROM metrics_refresh.run_log").get_instant_or_null(0, 1);
  facts.preloaded = shmem::area() != nullptr;
  if (!facts.preloaded) return facts;
  const shmem::DatabaseStatus status = shmem::database_status(MyDatabaseId);
  facts.enabled = settings::enabled();
  facts.in_recovery = pg::call([] { return RecoveryInProgress(); });
  facts.launcher_running = shmem::launcher_running();
  facts.scheduler_running = status.scheduler_running;
  facts.runs_wait_for_worker = status.waiting;
  if (status.next_due != shmem::kNever) facts.next_due = pg::to_instant(status.next_due);
  return facts;
}

Datum health_check(FunctionCallInfo call) {
  SetResult result(call);
  const core::Instant now = pg::now();
  core::ServerFacts server;
  std::vector<core::JobFacts> jobs;
  pg::with_fixed_search_path([&] {
    pg::Spi spi;
    server = server_facts(spi);
    const pg::Rows rows =
        spi.query(kSelectFacts, {static_cast<std::int64_t>(settings::health_window_hours())});
    for (std::size_t i = 0; i < rows.size(); ++i) jobs.push_back(read_facts(rows, i, now));
  });
  for (const core::Finding& finding : core::check_health(now, server, jobs, limits()))
    result.add({finding.check, core::to_string(finding.severity), finding.detail,
                finding.hint.empty() ? pg::Param::null(TEXTOID) : pg::Param(finding.hint)});
  return 0;
}

}  // namespace
}  // namespace metrics_refresh::api

extern "C" {
MR_SQL_FUNCTION(mr_health_check);
Datum mr_health_check(PG_FUNCTION_ARGS) {
  return metrics_refresh::pg::boundary([&] { return metrics_refresh::api::health_check(fcinfo); });
}
}
