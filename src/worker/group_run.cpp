// Plans the runs of groups, and closes them.
//
// The plan numbers the members in the order of their dependencies, and each member lists the
// numbers that it waits for. Example: a view c reads a and b. The members are a = 0, b = 1 and
// c = 2, and c waits for 0 and 1. If a fails, finish_member() logs c as skipped.
//
// Two members may end at the same time. Each worker locks the group before it looks for open
// members, so exactly one of them finds none and closes the run.
#include "core/scheduler/dependency_graph.hpp"

#include "worker/group_run.hpp"

#include <algorithm>
#include <set>

#include "engine/view/function_reads.hpp"
#include "engine/view/view.hpp"
#include "extension/settings.hpp"
#include "pg/random.hpp"
#include "pg/role.hpp"
#include "pg/time.hpp"
#include "store/job_changes.hpp"
#include "store/one_time_jobs.hpp"
#include "store/timetable.hpp"

namespace metrics_refresh::worker {
namespace {

using store::Member;
using store::Outcome;

void log_skipped(pg::Spi& spi, const Member& member, const std::string& reason) {
  const store::RunHead head =
      head_of_member(member, store::head_of_group(spi, member.group_run_id).job_name, pg::now());
  Outcome outcome;
  outcome.status = store::RunStatus::kSkipped;
  outcome.error = store::run_reason(reason);
  store::log_ended_run(spi, head, outcome);
}

store::RunStatus status_of(const store::GroupResult& result) {
  if (result.failed > 0) return store::RunStatus::kError;
  if (result.canceled > 0) return store::RunStatus::kCanceled;
  if (result.skipped == result.members) return store::RunStatus::kSkipped;
  return store::RunStatus::kSuccess;
}

Outcome outcome_of(const store::GroupResult& result) {
  Outcome outcome;
  outcome.strategy = store::Strategy::kGroup;
  outcome.strategy_reason = std::to_string(result.members) + " views, each in a run of its own";
  outcome.missed = result.missed;
  outcome.status = status_of(result);
  if (outcome.status == store::RunStatus::kSuccess && result.skipped == 0) return outcome;
  store::RunError error = result.first_error.value_or(store::RunError{});
  const std::string cause = error.message;
  const std::string of_all = " of " + std::to_string(result.members) + " views";
  error.message.clear();
  const auto add = [&](int count, const std::string& what) {
    if (count == 0) return;
    error.message +=
        (error.message.empty() ? std::to_string(count) + of_all : ", " + std::to_string(count)) +
        " " + what;
  };
  add(result.failed, "failed (" + core::joined(result.failed_views) + ")");
  add(result.skipped, "skipped");
  add(result.canceled, "canceled");
  if (!cause.empty()) error.message += ": " + cause;
  outcome.error = std::move(error);
  outcome.permanent = result.permanent;
  return outcome;
}

// `ended` replaces the outcome that results from the members. REQUIRES: store::lock_group().
void close_if_done(pg::Spi& spi, std::int64_t group_run_id, const Outcome* ended = nullptr) {
  const std::optional<store::GroupResult> result = store::take_result(spi, group_run_id);
  if (!result) return;
  Outcome outcome = ended != nullptr ? *ended : outcome_of(*result);
  const std::optional<store::JobRecord> job = store::find_job(spi, result->job_id);
  if (job && ended == nullptr && outcome.status == store::RunStatus::kError && !outcome.permanent &&
      !result->manual)
    outcome.retry = plan_retry(*job, result->attempt, result->due);
  if (store::end_run(spi, group_run_id, outcome, settings::suspend_after()) || outcome.retry)
    store::note_changed(result->job_id);
  if (job && job->one_time) store::remove_one_time_job(spi, job->id);
}

// The error if the group has too many members, or nothing. The limit for each role bounds the
// memory of the scheduler, which holds the open members of all groups. A group on one snapshot has
// no such members.
std::optional<store::RunError> too_many(pg::Spi& spi, const store::JobRecord& group,
                                        std::size_t members) {
  if (members > store::kMaxMembers)
    return store::run_error(
        ERRCODE_PROGRAM_LIMIT_EXCEEDED,
        "the group has more than " + std::to_string(store::kMaxMembers) + " views",
        "Make several groups of them.");
  if (group.repeatable_read || pg::is_superuser(group.owner_oid)) return std::nullopt;
  const int most = settings::max_group_views_per_role();
  const std::int64_t open = store::count_open_members(spi, group.owner_oid);
  if (open + static_cast<std::int64_t>(members) <= most) return std::nullopt;
  return store::run_error(
      ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
      "role \"" + group.owner + "\" would have more views in group runs under way than it may",
      "Give the role's groups other schedules, or ask an administrator to raise "
      "metrics_refresh.max_group_views_per_role.",
      "metrics_refresh.max_group_views_per_role is " + std::to_string(most) + "; " +
          std::to_string(open) + " are under way, and this group has " + std::to_string(members) +
          ".");
}

store::RunError no_members(const std::string& name) {
  return store::run_error(
      ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "group \"" + name + "\" has no views",
      "Call metrics_refresh.schedule_group() again with its views, or remove it with "
      "metrics_refresh.unschedule().");
}

}  // namespace

store::RunHead head_of_member(const Member& member, const std::string& job_name,
                              core::Instant started) {
  store::RunHead head;
  head.job_name = job_name;
  head.group_run_id = member.group_run_id;
  head.view_schema = member.view_schema;
  head.view_name = member.view_name;
  head.owner_oid = engine::relation_owner(member.view_oid);
  head.owner = pg::role_name(head.owner_oid);
  head.dependency = true;
  head.started = started;
  head.worker_pid = MyProcPid;
  return head;
}

GroupPlan plan_group(pg::Spi& spi, const store::JobRecord& group, std::int64_t group_run_id,
                     int attempt) {
  GroupPlan plan;
  std::vector<Member> listed = store::members_of_group(spi, group);
  plan.reason = listed.empty() ? no_members(group.name) : too_many(spi, group, listed.size());
  if (plan.reason) return plan;
  std::vector<Member> named;
  std::set<Oid> seen;
  for (Member& member : listed) {
    pg::call([] { CHECK_FOR_INTERRUPTS(); });
    const Member before = member;
    member.view_oid = engine::resolve_view(member);
    if (OidIsValid(member.view_oid)) {
      if (!seen.insert(member.view_oid).second) continue;  // two names refer to one view now
      const engine::View view = engine::read_view(member.view_oid);
      member.view_schema = view.schema;
      member.view_name = view.name;
      if (group.group_schema.empty()) store::bind_member(spi, group.id, before, member);
    }
    named.push_back(std::move(member));
  }
  if (attempt > 1) {
    const std::vector<std::string> before = store::refreshed_before(spi, group.id, group_run_id);
    const std::set<std::string> done(before.begin(), before.end());
    named.erase(
        std::remove_if(named.begin(), named.end(),
                       [&done](const Member& member) { return done.count(member.view()) != 0; }),
        named.end());
  }
  std::vector<Oid> oids;
  for (const Member& member : named) oids.push_back(member.view_oid);
  const std::vector<std::pair<int, int>> edges = engine::dependencies(spi, oids);
  if (edges.size() > store::kMaxDependencies) {
    plan.reason = store::run_error(ERRCODE_PROGRAM_LIMIT_EXCEEDED,
                                   "the views of the group depend on each other in more than " +
                                       std::to_string(store::kMaxDependencies) + " ways",
                                   "Make several groups of them.");
    return plan;
  }
  const core::RefreshOrder order = core::refresh_order(static_cast<int>(named.size()), edges);
  std::vector<int> number(named.size());  // the number of each element of `named`
  for (std::size_t i = 0; i < order.order.size(); ++i)
    number[static_cast<std::size_t>(order.order[i])] = static_cast<int>(i);
  for (const int place : order.order) {
    Member& member = plan.members.emplace_back(std::move(named[static_cast<std::size_t>(place)]));
    member.group_run_id = group_run_id;
    member.number = number[static_cast<std::size_t>(place)];
    for (const int other : order.waits_for[static_cast<std::size_t>(place)])
      member.waits_for.push_back(number[static_cast<std::size_t>(other)]);
  }
  return plan;
}

void log_rolled_back(pg::Spi& spi, const std::string& job_name, const std::vector<Member>& members,
                     int culprit, const store::Outcome& outcome) {
  store::Outcome of_others;
  of_others.status = store::RunStatus::kSkipped;
  of_others.error = store::run_reason("its group was rolled back");
  for (const Member& member : members) {
    const store::RunHead head = head_of_member(member, job_name, pg::now());
    if (member.number != culprit) {
      store::log_ended_run(spi, head, of_others);
      continue;
    }
    store::Outcome of_culprit;
    of_culprit.status = outcome.status;
    of_culprit.error = outcome.error;
    store::log_ended_run(spi, head, of_culprit);
  }
}

void finish_member(pg::Spi& spi, const Member& member, store::MemberState state) {
  store::lock_group(spi, member.group_run_id);
  const std::vector<Member> dropped = store::end_member(spi, member, state);
  for (const Member& other : dropped)
    log_skipped(spi, other,
                "materialized view " + member.view() + ", which it depends on, was not refreshed");
  close_if_done(spi, member.group_run_id);
}

void cancel_group(pg::Spi& spi, std::int64_t group_run_id, const Outcome* ended) {
  store::lock_group(spi, group_run_id);
  store::cancel_pending(spi, group_run_id);
  close_if_done(spi, group_run_id, ended);
}

std::optional<core::Retry> plan_retry(const store::JobRecord& job, int attempt, core::Instant due) {
  const core::Instant now = pg::now();
  std::optional<core::Instant> next_due;
  if (auto timetable = store::timetable_of(job)) {
    timetable->last_end = now;
    next_due = timetable->next_after(now);
  }
  return core::plan_retry(job.retry_policy, attempt, due, now, next_due, pg::random_number());
}

}  // namespace metrics_refresh::worker
