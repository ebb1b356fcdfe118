// schedule(), schedule_command(), alter_job(), unschedule(), pause() and resume(). The functions
// that write a job check the options, then the owner, then the settings, which depend on the owner.
// The owner's share of jobs is checked last.
#include "api/jobs/group_views.hpp"
#include "api/jobs/incremental_jobs.hpp"
#include "api/jobs/job_settings.hpp"
#include "api/jobs/options.hpp"
#include "api/jobs/write_job.hpp"
#include "api/shares.hpp"
#include "extension/own_schema.hpp"
#include "extension/privilege.hpp"
#include "pg/role.hpp"
#include "store/groups.hpp"

namespace metrics_refresh::api {
namespace {

using pg::Param;
using store::Columns;

Datum schedule(FunctionCallInfo call) {
  const NamedArguments arguments(call);
  const engine::View view =
      engine::read_view(Arguments::required(arguments.get_oid("view_name"), "view_name"));
  require_refresh_rights(view);
  const Options options = new_options(arguments);
  const JobOwner owner = owner_of_new(arguments, refresher(view), false);
  check_priority(arguments, owner.role);
  if (!arguments.is_null("settings"))
    check_refresh_settings(read_settings(arguments.datum("settings")), {owner.role, view.owner});
  Subject subject;
  subject.view_schema = view.schema;
  subject.view_name = view.name;
  const std::string name =
      arguments.get_text("job_name").value_or(engine::qualified_name(view.schema, view.name));
  return Int64GetDatum(put_job(name, subject, owner, options.columns));
}

void check_command(const std::string& command) {
  if (is_blank(command))
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "command must not be empty");
  check_length("command", static_cast<std::int64_t>(command.size()), store::kMaxCommand);
}

// Without this check each run would fail.
void require_login(Oid role) {
  const std::optional<pg::SqlError> reason = extension::reason_against_login(role);
  if (!reason) return;
  throw pg::SqlError(reason->sqlstate(), reason->what(),
                     reason->hint() + " Another role can be: owner => ...");
}

Datum schedule_command(FunctionCallInfo call) {
  const NamedArguments arguments(call);
  Subject subject;
  subject.command = Arguments::required(arguments.get_text("command"), "command");
  check_command(subject.command);
  const Options options = new_options(arguments);
  // A command runs as the role that wrote it.
  const JobOwner owner = owner_of_new(arguments, GetUserId(), true);
  require_login(owner.role);
  check_priority(arguments, owner.role);
  if (!arguments.is_null("settings"))
    check_settings(read_settings(arguments.datum("settings")), {owner.role});
  return Int64GetDatum(put_job(Arguments::required(arguments.get_text("job_name"), "job_name"),
                               subject, owner, options.columns));
}

// A command runs with all rights of its owner, so the caller must have those rights to give it
// away. A refresh always computes as the owner of the view, so giving it away needs no such check.
Oid new_owner(const store::JobRecord& job, const std::string& owner) {
  const Oid role = existing_role(owner);
  extension::require_super_admin("changing the owner of a job");
  if (job.is_command()) require_rights_of(role);
  return role;
}

// The owner of the view, if the job refreshes one and the view exists; else InvalidOid.
Oid view_owner(const store::JobRecord& job) {
  if (!job.is_refresh()) return InvalidOid;
  return engine::relation_owner(engine::resolve_view(job));
}

// The views of the group that exist.
std::vector<GroupView> views_of_group(const store::JobRecord& group) {
  std::vector<GroupView> views;
  extension::as_extension([&](pg::Spi& spi) {
    for (const store::Member& member : store::members_of_group(spi, group)) {
      const Oid view = engine::resolve_view(member);
      if (OidIsValid(view)) views.push_back({engine::read_view(view), true});
    }
  });
  return views;
}

// Rejects options that do not apply to this kind of job.
void check_kind(const store::JobRecord& job, const NamedArguments& arguments) {
  if (job.is_command() && !arguments.is_null("strategy"))
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE,
                       "job \"" + job.name + "\" runs a command and has no strategy");
  if (!job.is_command() && !arguments.is_null("command"))
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE,
                       "job \"" + job.name + "\" refreshes and has no command",
                       "metrics_refresh.schedule_command() puts a command in its place.");
  for (const char* const option : {"isolation", "max_parallel"})
    if (!job.is_group() && !arguments.is_null(option))
      throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE,
                         "job \"" + job.name + "\" is no group and has no " + option);
}

std::vector<Oid> owners_of_settings(const store::JobRecord& job, Oid owner) {
  if (job.is_group()) return owners_of(views_of_group(job), owner);
  return {owner, view_owner(job)};
}

Datum alter_job(FunctionCallInfo call) {
  const NamedArguments arguments(call);
  // Locked before the checks: otherwise another session could turn the refresh into a command while
  // this session gives it to another role.
  const store::JobRecord job =
      locked_job(Arguments::required(arguments.get_text("job_name"), "job_name"));
  Options options = changed_options(arguments);
  check_kind(job, arguments);
  if (is_on_one_snapshot(arguments)) require_one_owner(views_of_group(job));
  Oid owner = job.owner_oid;
  const auto command = arguments.get_text("command");
  if (command) {
    require_right_to_commands();
    check_command(*command);
    options.columns.emplace_back("command", *command);
    options.reschedules = true;
    owner = GetUserId();
  }
  const auto name = arguments.get_name("owner");
  if (name) owner = new_owner(job, *name);
  if (job.is_command() && (command || name)) require_login(owner);
  if (command || name) {
    // Written even if the name is the same, because another role may have that name by now.
    options.columns.emplace_back("owner", pg::role_name(owner));
    options.columns.emplace_back("owner_oid", Param::oid(owner));
  }
  if (!arguments.is_null("settings")) {
    // The caller must have the owner's rights. Otherwise a setting such as search_path could change
    // the meaning of names in the owner's command.
    if (job.is_command()) require_rights_of(owner);
    const auto check = job.is_command() ? check_settings : check_refresh_settings;
    check(read_settings(arguments.datum("settings")), owners_of_settings(job, owner));
  } else if (command && owner != job.owner_oid) {
    // Another role chose the present settings. They must not decide what names in the new command
    // mean.
    options.columns.emplace_back("settings", Param::null(JSONBOID));
  } else if (owner != job.owner_oid) {
    // The new owner may not be allowed to use the present settings.
    check_settings(job.settings, owners_of_settings(job, owner));
  }
  check_priority(arguments, owner);
  // Read before the write, because the row then has the new strategy.
  const std::vector<Oid> incremental = incremental_views(job);
  const JobShare share(owner);
  write_job(job, options.columns, options.reschedules);
  share.check();
  if (!arguments.is_null("strategy")) set_up_views_of_written_job(incremental, job.id);
  return 0;
}

Datum unschedule(FunctionCallInfo call) {
  const std::string name = Arguments::required(Arguments(call).get_text(0), "job_name");
  // A missing job is not an error, so that scripts can be repeated.
  const std::optional<store::JobRecord> job = find_and_lock_job(name);
  if (!job) {
    report_missing_job(name);
    return BoolGetDatum(false);
  }
  const std::vector<Oid> incremental = incremental_views(*job);
  extension::as_extension([&](pg::Spi& spi) { store::delete_job(spi, *job); });
  release_views_of_job(incremental);
  return BoolGetDatum(true);
}

// Resuming restarts the job: due times during the pause are not missed, and a suspension ends.
Datum set_active(FunctionCallInfo call, bool active) {
  const store::JobRecord job =
      locked_job(Arguments::required(Arguments(call).get_text(0), "job_name"));
  extension::as_extension([&](pg::Spi& spi) {
    store::update_job(spi, job.id, {{"active", active}}, active);
  });
  return 0;
}

Datum pause(FunctionCallInfo call) { return set_active(call, false); }

Datum resume(FunctionCallInfo call) { return set_active(call, true); }

Datum note_missing(FunctionCallInfo call) {
  report_missing_job(Arguments::required(Arguments(call).get_text(0), "job_name"));
  return Datum{0};
}

}  // namespace

MR_SQL_FUNCTION(mr_schedule, schedule);
MR_SQL_FUNCTION(mr_schedule_command, schedule_command);
MR_SQL_FUNCTION(mr_alter_job, alter_job);
MR_SQL_FUNCTION(mr_unschedule, unschedule);
MR_SQL_FUNCTION(mr_note_missing_job, note_missing);
MR_SQL_FUNCTION(mr_pause, pause);
MR_SQL_FUNCTION(mr_resume, resume);

}  // namespace metrics_refresh::api
