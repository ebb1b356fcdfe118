// import_from_crontab().
//
// Each line of the crontab goes through three steps. core::read_crontab() splits it into schedule
// and command. core::read_psql_command() finds the SQL in a call of psql. find_target() finds the
// views that the SQL refreshes. If a step fails, the line is left, and its row in the result tells
// the reason. The crontab itself is never changed.
#include "core/import/crontab.hpp"
#include "core/import/pg_cron_schedule.hpp"
#include "core/import/psql_command.hpp"

#include "api/access.hpp"
#include "api/imports/import_target.hpp"
#include "api/imports/imported_job.hpp"
#include "api/jobs/write_job.hpp"
#include "api/schedule_text.hpp"
#include "extension/privilege.hpp"
#include "pg/time_zone.hpp"

namespace metrics_refresh::api {
namespace {

constexpr char kPrefix[] = "crontab line ";

void add_connection_notes(const core::PsqlCommand& psql, ImportedJob& job) {
  if (!psql.user.empty() && psql.user != job.owner_name)
    job.add_note("psql connects as " + psql.user + ", the job is yours");
  if (!psql.output.empty()) job.add_note("no output is written to " + psql.output);
}

// True if psql connects to this server.
bool is_here(const core::PsqlCommand& psql) {
  const char* port =
      pg::call([]() -> const char* { return GetConfigOption("port", false, false); });
  return is_this_host(psql.host) && (psql.port.empty() || psql.port == port);
}

void set_times(const core::CrontabEntry& entry, ImportedJob& job) {
  if (entry.timezone.empty())
    job.add_note(
        "no CRON_TZ stands before it: its times are in the zone of metrics_refresh.timezone");
  else
    job.timezone = entry.timezone;
  if (entry.schedule == "@reboot")
    job.add_note("it runs at each start of the server, not the machine");
  try {
    // Throws if the server does not know the zone.
    if (job.timezone) (void)pg::time_zone(*job.timezone);
    (void)parse_schedule(entry.schedule, job.name);
    // The versions of pg_cron up to 1.0 contain the parser of Vixie's cron, so they read a schedule
    // as cron does.
    const core::FromPgCron read = core::from_pg_cron(entry.schedule, core::PgCronVersion::k1_0);
    if (read.schedule.empty()) return job.skip("cron does not run a schedule like this");
    job.schedule = entry.schedule;
  } catch (const pg::SqlError& error) {
    job.skip(error.what());
  }
}

// The same checks as in schedule_command(). Here they must not raise an error, because the other
// lines are still to be imported.
void leave_without_right(ImportedJob& job) {
  try {
    require_right_to_commands();
  } catch (const pg::SqlError& error) {
    job.skip(std::string(error.what()) + ". " + error.hint());
  }
  if (const auto reason = extension::reason_against_login(job.owner)) job.skip(reason->what());
}

// If the command names no database, psql uses its environment, and otherwise the name of the user.
std::string database_of(const core::CrontabEntry& entry, const core::PsqlCommand& psql) {
  if (!psql.database.empty()) return psql.database;
  return entry.database.empty() ? psql.user : entry.database;
}

// Fills in the new job, or the reason why there is none.
void convert(const core::CrontabEntry& entry, const std::string& database, ImportedJob& job) {
  job.name = kPrefix + std::to_string(entry.line);
  job.source_id = entry.line;
  job.owner = GetUserId();
  job.owner_name = current_role();
  job.database = database;
  job.old_schedule = entry.schedule;
  if (!entry.reason.empty()) return job.skip(entry.reason);
  if (entry.has_input) return job.skip("an unescaped % gives the command input");
  const core::PsqlCommand psql = core::read_psql_command(entry.command);
  if (!psql.reason.empty()) return job.skip(psql.reason);
  // Several -c options are several transactions for psql. A job of refreshes can do the same; a job
  // with a command cannot.
  job.command = core::joined(psql.sql, "\n;\n");
  if (is_blank(job.command)) return job.skip("its SQL is empty");
  set_times(entry, job);
  if (job.is_skipped()) return;
  job.database = database_of(entry, psql);
  // The target is determined even if the job will be left: the result shows the statement to run
  // elsewhere.
  const bool is_ours = is_here(psql) && job.database == database;
  const ImportTarget target =
      is_ours ? find_target(job.command, job.owner) : find_target_elsewhere(job.command);
  job.set_target(target);
  add_connection_notes(psql, job);
  // These checks come after the target, so that the row in the result is complete.
  if (!entry.variable.empty())
    return job.skip("what psql does depends on " + entry.variable + ", which is set above it");
  if (!is_here(psql)) return job.skip("psql connects to another server: run the statement there");
  if (job.database.empty())
    return job.skip("it names no database: run the statement in the one of the user's name");
  if (!is_ours) return job.skip("run the statement in database " + job.database);
  if (psql.sql.size() > 1 && job.views.empty())
    return job.skip("each -c is a transaction of its own: make a job of each");
  if (job.views.empty()) leave_without_right(job);
}

void import_one(ImportedJob& job, Names& names, bool dry_run) {
  // Lines above this one may have been removed since an earlier import. The number in the name is
  // then wrong, so the job is looked up by its task first.
  Found found = names.find_by_task(job, kPrefix);
  if (found == Found::kNothing) found = names.find_or_reserve(job, false);
  if (found != Found::kNothing) {
    job.action = "already there";
    if (found == Found::kChanged) job.add_note("the job here is not due alike: it stays as it is");
    return;
  }
  job.action = dry_run ? "would be imported" : "imported";
  if (dry_run) return;
  make_job(job, job.name, job.owner);
  job.add_note("take the line out of the crontab, or both run");
}

Datum import_from_crontab(FunctionCallInfo call) {
  const Arguments arguments(call);
  const std::string text = Arguments::required(arguments.get_text(0), "crontab");
  const bool dry_run = Arguments::required(arguments.get_bool(1), "dry_run");
  const std::string database =
      pg::call([]() -> const char* { return get_database_name(MyDatabaseId); });
  SetResult result(call);
  if (!dry_run) lock_imports(GetUserId());
  Names names(dry_run);
  for (const core::CrontabEntry& entry : core::read_crontab(text)) {
    ImportedJob job;
    convert(entry, database, job);
    if (!job.is_skipped()) import_one(job, names, dry_run);
    add_row(result, job);
  }
  return 0;
}

}  // namespace

MR_SQL_FUNCTION(mr_import_from_crontab, import_from_crontab);

}  // namespace metrics_refresh::api
