// import_from_pg_cron(), and as_pg_cron_reads(), which describes how pg_cron reads a schedule.
//
// The import locks the rows of cron.job, makes a job for each, and sets the old jobs to inactive,
// all in one transaction. No run may be lost or done twice at that moment; quiet_moment.cpp
// describes how.
#include "api/imports/import_pg_cron.hpp"

#include "api/access.hpp"
#include "api/imports/import_target.hpp"
#include "api/imports/quiet_moment.hpp"
#include "api/jobs/write_job.hpp"
#include "extension/own_schema.hpp"
#include "extension/privilege.hpp"
#include "pg/identity.hpp"
#include "pg/role.hpp"

namespace metrics_refresh::api {
namespace {

using pg::Param;

[[noreturn]] void refuse_missing(bool has_our_api) {
  throw pg::SqlError(
      ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
      "the extension pg_cron is not in database \"" +
          std::string(pg::call([]() -> const char* { return get_database_name(MyDatabaseId); })) +
          "\"",
      has_our_api
          ? "The schema cron is that of metrics_refresh_cron, whose jobs are metrics_refresh's."
          : "pg_cron has its jobs in one database of the server: connect to the one that "
            "cron.database_name names, and create metrics_refresh there.");
}

template <typename Body>
// Runs as the owner of cron.job. Its row-level security would otherwise hide the jobs of other
// roles.
void with_old_jobs(const PgCron& cron, Body&& body) {
  pg::ActAs scope(cron.owner);
  pg::with_own_sql([&] {
    pg::Spi spi;
    body(spi);
  });
}

}  // namespace

std::optional<PgCron> find_pg_cron() {
  std::optional<PgCron> found;
  extension::as_extension([&](pg::Spi& spi) {
    // pg_settings does not show a setting that pg_cron has not defined. Any role could set such a
    // placeholder.
    const pg::Rows rows = spi.query(
        "SELECT c.relowner AS owner, e.extversion AS version, (SELECT setting FROM pg_settings"
        "  WHERE name = 'cron.timezone') AS timezone,"
        " coalesce((SELECT setting = 'on' FROM pg_settings"
        "  WHERE name = 'cron.use_background_workers'), false) AS uses_workers,"
        " current_setting('port') AS port, current_database()::text AS database"
        " FROM pg_extension e JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass"
        "  AND d.refobjid = e.oid AND d.deptype = 'e' AND d.classid = 'pg_class'::regclass"
        " JOIN pg_class c ON c.oid = d.objid AND c.relname = 'job'"
        " JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'cron'"
        " WHERE e.extname = 'pg_cron'");
    if (rows.empty()) return;
    PgCron& cron = found.emplace();
    cron.owner = rows.get_oid(0, "owner");
    cron.version = core::pg_cron_version(rows.get_text(0, "version"));
    // The library reads the schedules, and it may be newer than the extension. The setting
    // cron.timezone exists since 1.5.
    if (const auto timezone = rows.get_text_or_null(0, "timezone")) {
      cron.version = std::max(cron.version, core::PgCronVersion::k1_5);
      cron.timezone = *timezone;
    }
    cron.uses_workers = rows.get_bool(0, "uses_workers");
    cron.port = rows.get_text(0, "port");
    cron.database = rows.get_text(0, "database");
  });
  return found;
}

std::vector<OldJob> read_old_jobs(const PgCron& cron, bool dry_run) {
  std::vector<OldJob> jobs;
  with_old_jobs(cron, [&](pg::Spi& spi) {
    const pg::Rows rows = spi.query(
        // Old versions of pg_cron lack the columns active and jobname. to_jsonb() reads them
        // without naming them.
        std::string(
            "SELECT jobid, schedule, command, nodename, nodeport::text, database, username,"
            " coalesce((to_jsonb(j) ->> 'active')::boolean, true) AS active,"
            " coalesce(to_jsonb(j) ->> 'jobname', '') AS jobname FROM cron.job j ORDER BY jobid") +
        (dry_run ? "" : " FOR NO KEY UPDATE"));
    for (std::size_t i = 0; i < rows.size(); ++i) {
      OldJob old;
      old.job.source_id = rows.get_int64(i, "jobid");
      old.job.old_schedule = rows.get_text(i, "schedule");
      old.job.command = rows.get_text(i, "command");
      old.nodename = rows.get_text(i, "nodename");
      old.nodeport = rows.get_text(i, "nodeport");
      old.job.database = rows.get_text(i, "database");
      old.job.owner_name = rows.get_text(i, "username");
      old.job.active = rows.get_bool(i, "active");
      old.job.name = rows.get_text(i, "jobname");
      if (old.job.name.empty()) old.job.name = "pg_cron job " + std::to_string(old.job.source_id);
      // The functions of this extension read a name of digits as a number.
      if (is_job_id(old.job.name)) old.job.name = "pg_cron job named " + old.job.name;
      jobs.push_back(std::move(old));
    }
  });
  return jobs;
}

// A session of pg_cron shows the command as its query, cut to track_activity_query_size. Therefore
// the command must begin with the query.
bool is_running(const ImportedJob& job) {
  bool running = false;
  extension::as_extension([&](pg::Spi& spi) {
    running = spi.query(
                     "SELECT EXISTS (SELECT FROM pg_stat_activity a"
                     " WHERE (a.application_name = 'pg_cron' OR a.backend_type LIKE 'pg_cron%')"
                     " AND a.state = 'active' AND a.usename = $1 AND a.datname = $2"
                     " AND a.query <> '' AND starts_with($3, a.query))"
                     " AS is_running",
                     {job.owner_name, job.database, job.command})
                  .get_bool(0, "is_running");
  });
  return running;
}

bool is_elsewhere(const OldJob& old, const PgCron& cron) {
  return !cron.uses_workers && (!is_this_host(old.nodename) || old.nodeport != cron.port);
}

void pause_in_pg_cron(const PgCron& cron, const std::vector<std::int64_t>& ids) {
  with_old_jobs(cron, [&](pg::Spi& spi) {
    spi.query("UPDATE cron.job SET active = false WHERE jobid = ANY ($1)", {Param::array(ids)});
  });
}

namespace {

// Fills in the new job, or the reason why there is none.
void convert(OldJob& old, const PgCron& cron) {
  ImportedJob& job = old.job;
  job.timezone = cron.timezone;
  job.owner = pg::role_oid(job.owner_name);
  const core::FromPgCron times = core::from_pg_cron(job.old_schedule, cron.version);
  job.schedule = times.schedule;
  if (job.schedule.empty()) return job.skip(times.note);
  job.add_note(times.note);
  if (is_blank(job.command)) {
    job.schedule.clear();
    return job.skip("its command is empty");
  }
  if (is_elsewhere(old, cron))
    return job.skip("it runs on another server: " + old.nodename + ", port " + old.nodeport);
  if (!OidIsValid(job.owner)) return job.skip("its role does not exist");
  if (job.database != cron.database) {
    job.set_target(find_target_elsewhere(job.command));
    return job.skip("run the statement in database " + job.database + ", then pause it in pg_cron");
  }
  // The pause may cut off a run of pg_cron that is under way.
  if (job.active && is_running(job))
    return job.skip("a run of it is under way, which a pause would cut off: import it afterwards");
  job.set_target(find_target(job.command, job.owner));
  // A refresh needs no right of the old role: it runs as the owner of the view.
  if (!job.views.empty()) return;
  if (!pg::has_rights_of(job.owner))
    return job.skip("a command runs with all rights of its role, which you have not");
  if (const auto reason = extension::reason_against_login(job.owner))
    return job.skip(std::string(reason->what()) + ", which pg_cron asks for as well");
}

void make_imported_job(ImportedJob& job) {
  make_job(job, "job " + std::to_string(job.source_id) + " of pg_cron", BOOTSTRAP_SUPERUSERID);
  if (job.active)
    extension::as_extension(
        [&](pg::Spi& spi) { store::start_due_times_at_commit(spi, job.name, job.owner); });
}

// True if this extension runs the old job from now on, so that pg_cron must stop running it.
bool import_one(ImportedJob& job, Names& names, bool dry_run) {
  switch (names.find_or_reserve(job, !job.active)) {
    case Found::kNothing:
      job.action = dry_run ? "would be imported" : "imported";
      if (!dry_run) make_imported_job(job);
      break;
    case Found::kEqual:
      job.action = "already there";
      break;
    case Found::kChanged:
      job.action = "already there";
      if (job.active) job.add_note("the job here is not due alike: both stay as they are");
      return false;
    case Found::kOther:
      job.action = "already there";
      job.add_note("the job of its name here does something else by now");
      return false;
  }
  if (!job.active) return false;
  job.add_note(dry_run ? "would be paused in pg_cron" : "paused in pg_cron");
  return true;
}

Datum import_from_pg_cron(FunctionCallInfo call) {
  const bool dry_run = Arguments::required(Arguments(call).get_bool(0), "dry_run");
  extension::require_super_admin("importing the jobs of pg_cron");
  SetResult result(call);
  const std::optional<PgCron> found = find_pg_cron();
  if (!found)
    refuse_missing(
        pg::call([] { return OidIsValid(get_extension_oid("metrics_refresh_cron", true)); }));
  const PgCron& cron = *found;
  if (!dry_run) {
    // One lock for all super admins, in the name of the bootstrap superuser.
    lock_imports(BOOTSTRAP_SUPERUSERID);
    // Runs of this minute have then begun and can be seen.
    wait_for_quiet_moment();
  }
  Names names(dry_run);
  std::vector<std::int64_t> paused;
  for (OldJob& old : read_old_jobs(cron, dry_run)) {
    convert(old, cron);
    if (!old.job.is_skipped() && import_one(old.job, names, dry_run))
      paused.push_back(old.job.source_id);
    add_row(result, old.job);
  }
  if (!dry_run && !paused.empty()) pause_in_pg_cron(cron, paused);
  return 0;
}

Datum as_pg_cron_reads(FunctionCallInfo call) {
  const std::optional<std::string> words =
      core::as_pg_cron_reads(Arguments::required(Arguments(call).get_text(0), "schedule"));
  call->isnull = !words;
  return words ? text_result(*words) : 0;
}

}  // namespace

MR_SQL_FUNCTION(mr_import_from_pg_cron, import_from_pg_cron);
MR_SQL_FUNCTION(mr_as_pg_cron_reads, as_pg_cron_reads);

}  // namespace metrics_refresh::api
