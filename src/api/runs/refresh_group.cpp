// refresh_group(): refreshes the views of a group one after the other in the caller's session, if
// the caller has the rights of all their owners. Otherwise workers refresh them, as a run of the
// group's job.
//
// In the caller's session the views are refreshed in the order of their dependencies. If a view
// fails, the views that depend on it are skipped, and the rest is refreshed. The function raises no
// error for them, because that would undo the views that were refreshed; a warning names the views.
#include "core/scheduler/dependency_graph.hpp"

#include <algorithm>

#include "api/access.hpp"
#include "api/arguments.hpp"
#include "api/runs/hand_over.hpp"
#include "api/runs/refresh_now.hpp"
#include "engine/strategies.hpp"
#include "engine/view/function_reads.hpp"
#include "engine/view/view.hpp"
#include "extension/own_schema.hpp"
#include "extension/privilege.hpp"
#include "pg/role.hpp"
#include "pg/time.hpp"
#include "store/groups.hpp"

namespace metrics_refresh::api {
namespace {

using store::Member;

struct Group {
  store::JobRecord job;
  std::vector<Member> members;
  core::RefreshOrder order;
};

Group read_group(const std::string& name) {
  Group group;
  group.job = managed_job(name);
  if (!group.job.is_group())
    throw pg::SqlError(ERRCODE_WRONG_OBJECT_TYPE, "job \"" + name + "\" is no group",
                       "refresh() refreshes a view now; trigger() runs any job in a worker.");
  extension::as_extension([&group](pg::Spi& spi) {
    group.members = store::members_of_group(spi, group.job);
    std::vector<Oid> views;
    for (Member& member : group.members) {
      member.view_oid = engine::resolve_view(member);
      views.push_back(member.view_oid);
    }
    group.order =
        core::refresh_order(static_cast<int>(views.size()), engine::dependencies(spi, views));
  });
  return group;
}

void log_not_begun(const Member& member, store::RunStatus status, const store::RunError& error) {
  store::RunHead head;
  head.view_schema = member.view_schema;
  head.view_name = member.view_name;
  head.owner_oid = engine::relation_owner(member.view_oid);
  head.owner = pg::role_name(head.owner_oid);
  head.manual = true;
  head.initiated_by = current_role();
  head.started = pg::now();
  head.worker_pid = MyProcPid;
  store::Outcome outcome;
  outcome.status = status;
  outcome.error = error;
  extension::as_extension([&](pg::Spi& spi) { store::log_ended_run(spi, head, outcome); });
}

// Returns false if the refresh failed. The failure is logged.
bool refresh_member(const Member& member, const store::JobRecord& group) {
  if (!OidIsValid(member.view_oid)) {
    (void)refresh_of_missing_view(member.view_schema, member.view_name);
    return false;
  }
  try {
    const store::Strategy strategy = engine::asked_by_job(group.strategy);
    return !refresh_now(member.view_oid, strategy, &group.settings).outcome.error;
    // The caller lacks the rights, or the view was dropped a moment ago.
  } catch (const pg::SqlError&) {
    log_not_begun(member, store::RunStatus::kError, store::describe_current_error());
    return false;
  }
}

void warn_of(const Group& group, const std::vector<std::string>& failed) {
  const std::string message = std::to_string(failed.size()) + " of " +
                              std::to_string(group.members.size()) + " views of group \"" +
                              group.job.name + "\" were not refreshed: " + core::joined(failed);
  const char* text = message.c_str();
  pg::call([text] {
    ereport(WARNING, errmsg_internal("%s", text), errhint("See metrics_refresh.run_log."));
  });
}

void warn_of_none(const Group& group) {
  const char* name = group.job.name.c_str();
  pg::call([name] {
    ereport(WARNING, errmsg("group \"%s\" has no views", name),
            errhint("Call metrics_refresh.schedule_group() again with its views."));
  });
}

// True if there is a view that the caller may have refreshed, but must not refresh itself. A view
// that the caller may not have refreshed at all needs no worker: it fails in the caller's session
// before any of its code runs.
bool needs_workers(const Group& group) {
  const bool admin = extension::is_super_admin();
  return std::any_of(group.members.begin(), group.members.end(), [admin](const Member& member) {
    if (!OidIsValid(member.view_oid)) return false;
    const engine::View view = engine::read_view(member.view_oid);
    return !pg::has_rights_of(view.owner) && (admin || engine::has_view_rights(GetUserId(), view));
  });
}

void refresh_by_workers(const Group& group) {
  const RefreshedNow done = refresh_group_in_worker(group.job.id);
  if (!done.outcome.error) return;
  const std::string message =
      "group \"" + group.job.name + "\" was not refreshed: " + done.outcome.error->message;
  const char* text = message.c_str();
  pg::call([text] {
    ereport(WARNING, errmsg_internal("%s", text), errhint("See metrics_refresh.run_log."));
  });
}

Datum refresh_group(FunctionCallInfo call) {
  const Group group = read_group(Arguments::required(Arguments(call).get_text(0), "group_name"));
  if (group.members.empty()) warn_of_none(group);
  if (needs_workers(group)) {
    refresh_by_workers(group);
    return TimestampTzGetDatum(GetCurrentTimestamp());
  }
  std::vector<bool> stale(group.members.size());
  std::vector<std::string> failed;
  for (const int number : group.order.order) {
    const auto place = static_cast<std::size_t>(number);
    const Member& member = group.members[place];
    const std::vector<int>& before = group.order.waits_for[place];
    // The first view that this one depends on and that was not refreshed.
    const auto cause = std::find_if(before.begin(), before.end(), [&stale](int other) {
      return stale[static_cast<std::size_t>(other)];
    });
    if (cause == before.end()) {
      stale[place] = !refresh_member(member, group.job);
    } else {
      stale[place] = true;
      log_not_begun(member, store::RunStatus::kSkipped,
                    {"materialized view " + group.members[static_cast<std::size_t>(*cause)].view() +
                         ", which it depends on, was not refreshed",
                     "", "", "", ""});
    }
    if (stale[place]) failed.push_back(member.view());
  }
  if (!failed.empty()) warn_of(group, failed);
  return TimestampTzGetDatum(GetCurrentTimestamp());
}

}  // namespace

MR_SQL_FUNCTION(mr_refresh_group, refresh_group);

}  // namespace metrics_refresh::api
