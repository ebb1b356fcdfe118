// Finds the jobs of pg_cron that call the functions of an adopted installation, and replaces them
// by jobs of this extension.
//
// A job of pg_cron is recognized by its command: a call of one of the functions, or a REFRESH of
// the view. The first active one determines the schedule of the new job. Further ones are left,
// because one job has one schedule; import_from_pg_cron() can import them.
#include "api/adoption/adopt_jobs.hpp"

#include <algorithm>

#include "api/access.hpp"
#include "api/imports/import_sql.hpp"
#include "api/imports/quiet_moment.hpp"
#include "extension/own_schema.hpp"
#include "pg/quote.hpp"
#include "pg/transaction.hpp"

namespace metrics_refresh::api {
namespace {

constexpr char kView[] = "platform_metrics";
constexpr char kRefreshJob[] = "refresh-platform-metrics";
constexpr char kCleanupJob[] = "cleanup-metrics-logs";

bool is_one_of(const std::string& name, const std::vector<std::string>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// The function that the command calls, if it is one of these. An empty string stands for a refresh
// of the view.
std::optional<std::string> called_by(const std::string& command, const std::string& schema,
                                     const std::vector<std::string>& functions,
                                     const std::string& view) {
  ParsedCommand parsed;
  if (pg::in_subtransaction([&] { parsed = parse_command(command); })) return std::nullopt;
  // An unqualified name is assumed to be found in public.
  const auto is_here = [&](const SqlName& name) {
    return name.schema == schema || (name.schema.empty() && schema == "public");
  };
  if (parsed.call && is_here(*parsed.call) && is_one_of(parsed.call->name, functions))
    return parsed.call->name;
  if (!view.empty() && parsed.refreshes.size() == 1 && !parsed.with_no_data &&
      is_here(parsed.refreshes[0]) && parsed.refreshes[0].name == view)
    return "";
  return std::nullopt;
}

std::string object_of(const CronCall& call) {
  return "job " + std::to_string(call.old.job.source_id) + " of pg_cron";
}

std::vector<store::JobRecord> all_jobs() {
  std::vector<store::JobRecord> jobs;
  extension::as_extension([&](pg::Spi& spi) { jobs = store::load_jobs(spi); });
  return jobs;
}

template <typename Wanted>
std::optional<store::JobRecord> find_job_if(Wanted wanted) {
  for (store::JobRecord& job : all_jobs())
    if (wanted(job)) return std::move(job);
  return std::nullopt;
}

// The times as arguments of schedule() or alter_job().
std::string times_of(const std::string& schedule, const std::string& timezone, bool active) {
  std::string text = "schedule => " + pg::literal(schedule);
  if (!timezone.empty()) text += ", timezone => " + pg::literal(timezone);
  return text + (active ? "" : ", active => false");
}

void refresh_job(Adoption& adoption, const std::string& schema, const CronCalls& calls) {
  const std::string view = pg::qualified(schema, kView);
  const CronCall* const call = first_of(
      calls, {"", "refresh_platform_metrics_with_logging", "trigger_platform_metrics_refresh"});
  if (const auto job = find_job_if([&](const store::JobRecord& one) {
        return one.view_schema == schema && one.view_name == kView && !one.one_time;
      })) {
    adoption.found("job " + job->name, "it refreshes " + view);
    return;
  }
  const auto usual = find_job_if(
      [](const store::JobRecord& one) { return one.is_default && one.name == kRefreshJob; });
  std::string times;
  if (call != nullptr)
    times = times_of(call->schedule, call->timezone, call->old.job.active);
  else if (usual && usual->schedule)
    times = times_of(*usual->schedule, usual->timezone, usual->active);
  const std::string statement = "SELECT metrics_refresh.schedule(" + pg::literal(view) +
                                ", job_name => " + pg::literal(kRefreshJob) +
                                (times.empty() ? "" : ", " + times) + ")";
  if (times.empty())
    return adoption.leave("job " + std::string(kRefreshJob),
                          "nothing says when " + view + " is to be refreshed", statement);
  adoption.run("job " + std::string(kRefreshJob), "scheduled", statement);
  std::vector<std::string> undo = {"SELECT metrics_refresh.unschedule(" + pg::literal(kRefreshJob) +
                                   ")"};
  if (call != nullptr && call->old.job.active) {
    replace_call(adoption, calls, *call, kRefreshJob);
    undo.push_back(statement_to_go_on(*call));
  }
  adoption.undo("job " + std::string(kRefreshJob), undo);
}

void cleanup_job(Adoption& adoption, const CronCalls& calls) {
  const CronCall* const call = first_of(calls, {"cleanup_old_metrics_logs"});
  if (call == nullptr || !call->old.job.active) return;
  const auto usual = find_job_if([](const store::JobRecord& one) {
    return one.is_default && one.name == kCleanupJob && one.is_command();
  });
  if (!usual || !usual->schedule)
    return adoption.leave(object_of(*call),
                          "the default job cleanup-metrics-logs is not there to take its place");
  const std::string id = std::to_string(usual->id);
  const bool same_zone =
      usual->timezone == call->timezone || (usual->timezone.empty() && call->timezone == "GMT");
  const std::string alter = "SELECT metrics_refresh.alter_job(" + pg::literal(id) + ", ";
  adoption.run("job " + usual->name, "rescheduled",
               alter + times_of(call->schedule, same_zone ? "" : call->timezone, true) + ")");
  replace_call(adoption, calls, *call, id);
  // The undo statement must set the zone that is in effect now.
  const std::string zone = usual->timezone.empty() ? "UTC" : usual->timezone;
  adoption.undo("job " + usual->name,
                {alter + times_of(*usual->schedule, same_zone ? "" : zone, true) + ")",
                 statement_to_go_on(*call)});
}

}  // namespace

CronCalls find_calls(const Adoption& adoption, const std::string& schema,
                     const std::vector<std::string>& functions, const std::string& view) {
  CronCalls result;
  result.cron = find_pg_cron();
  if (!result.cron) return result;
  const PgCron& cron = *result.cron;
  // Runs of the present minute have then begun and can be seen (see api/imports/quiet_moment.cpp).
  if (!adoption.dry_run()) wait_for_quiet_moment();
  for (OldJob& old : read_old_jobs(cron, adoption.dry_run())) {
    if (old.job.database != cron.database || is_elsewhere(old, cron)) continue;
    const auto function = called_by(old.job.command, schema, functions, view);
    if (!function) continue;
    const core::FromPgCron times = core::from_pg_cron(old.job.old_schedule, cron.version);
    // The job is never due.
    if (times.schedule.empty()) continue;
    result.calls.push_back({std::move(old), *function, times.schedule, cron.timezone});
  }
  return result;
}

void replace_call(Adoption& adoption, const CronCalls& calls, const CronCall& call,
                  const std::string& job) {
  if (!adoption.dry_run() && is_running(call.old.job))
    throw pg::SqlError(ERRCODE_OBJECT_IN_USE, "a run of " + object_of(call) + " is under way",
                       "Try again when it has ended: a pause would cut it off.");
  // The step runs later, so it captures copies.
  const PgCron cron = *calls.cron;
  const std::int64_t id = call.old.job.source_id;
  adoption.work(
      object_of(call), "paused",
      [cron, id, job]() -> std::string {
        const store::JobRecord own = managed_job(job);
        extension::as_extension(
            [&](pg::Spi& spi) { store::start_due_times_at_commit(spi, own.name, own.owner_oid); });
        pause_in_pg_cron(cron, {id});
        return "";
      },
      "\"" + call.old.job.old_schedule + "\", " + call.timezone + ": " + call.old.job.command);
}

std::string statement_to_go_on(const CronCall& call) {
  return "UPDATE cron.job SET active = true WHERE jobid = " +
         std::to_string(call.old.job.source_id);
}

const CronCall* first_of(const CronCalls& calls, const std::vector<std::string>& functions) {
  const CronCall* first = nullptr;
  for (const CronCall& call : calls.calls)
    // An active job is preferred to one that is paused.
    if (is_one_of(call.function, functions) &&
        (first == nullptr || (call.old.job.active && !first->old.job.active)))
      first = &call;
  return first;
}

void adopt_platform_jobs(Adoption& adoption, const std::string& schema) {
  const CronCalls calls =
      find_calls(adoption, schema,
                 {"refresh_platform_metrics_with_logging", "trigger_platform_metrics_refresh",
                  "cleanup_old_metrics_logs"},
                 kView);
  refresh_job(adoption, schema, calls);
  cleanup_job(adoption, calls);
  // Other jobs with the same task would be separate jobs with a schedule of their own.
  const CronCall* const adopted[] = {first_of(calls, {"", "refresh_platform_metrics_with_logging",
                                                      "trigger_platform_metrics_refresh"}),
                                     first_of(calls, {"cleanup_old_metrics_logs"})};
  for (const CronCall& call : calls.calls)
    if (call.old.job.active && &call != adopted[0] && &call != adopted[1])
      adoption.leave(object_of(call), "one more of its kind: import_from_pg_cron() takes it over");
}

}  // namespace metrics_refresh::api
