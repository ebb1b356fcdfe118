// Loads jobs for the scheduler. The columns are a subset of those in jobs.cpp. A column that a user
// can make long is left out or reduced to a boolean, because the scheduler keeps every job in
// memory.
#include "store/planned_jobs.hpp"

#include <algorithm>
#include <map>

#include "extension/privilege.hpp"
#include "pg/role.hpp"
#include "store/job_words.hpp"

namespace metrics_refresh::store {
namespace {

// The conditions on effective_from are those of jobs.cpp.
constexpr char kSelectPlans[] =
    "SELECT j.job_id, j.view_schema, j.view_name, j.view_oid, j.owner_oid,"
    " j.command IS NOT NULL AS has_command, j.isolation, j.one_time, j.given_schema, j.given_name,"
    " j.job_name, j.schedule, j.timezone, j.starts_at, j.ends_at, j.blackout,"
    " (extract(epoch FROM j.jitter) * 1000000)::int8 AS jitter,"
    " greatest(j.effective_from, s.last_finished_at) AS last_end,"
    " j.active AND NOT coalesce(s.suspended_at > j.effective_from, false) AS runnable,"
    " greatest(j.effective_from, s.handled_until) AS handled_until, j.on_missed,"
    " j.on_overlap, j.priority::int8, coalesce(j.max_parallel, 0)::int8 AS max_parallel,"
    " CASE WHEN s.last_finished_at >= j.effective_from THEN s.retry_at END AS retry_at,"
    " s.retry_due, s.retry_attempt::int8"
    " FROM metrics_refresh_internal.job j LEFT JOIN metrics_refresh_internal.job_state s USING "
    "(job_id)";

JobTimes read_times(const pg::Rows& rows, std::size_t i) {
  JobTimes times;
  times.name = rows.get_text(i, "job_name");
  times.schedule = rows.get_text_or_null(i, "schedule");
  times.timezone = rows.get_text_or_empty(i, "timezone");
  times.starts_at = rows.get_instant_or_null(i, "starts_at");
  times.ends_at = rows.get_instant_or_null(i, "ends_at");
  if (!rows.is_null(i, "blackout")) times.blackout = rows.get_text_array(i, "blackout");
  times.jitter = core::Duration(rows.get_int64(i, "jitter"));
  times.last_end = rows.get_instant(i, "last_end");
  return times;
}

PlannedJob read_planned_job(const pg::Rows& rows, std::size_t i) {
  PlannedJob planned;
  planned.id = rows.get_int64(i, "job_id");
  planned.view_schema = rows.get_text_or_empty(i, "view_schema");
  planned.view_name = rows.get_text_or_empty(i, "view_name");
  planned.view_oid = rows.get_oid(i, "view_oid");
  planned.owner_oid = rows.get_oid(i, "owner_oid");
  planned.has_command = rows.get_bool(i, "has_command");
  planned.repeatable_read =
      from_column<Isolation>(rows.get_text(i, "isolation")) == Isolation::kRepeatableRead;
  planned.one_time = rows.get_bool(i, "one_time");
  planned.given_schema = rows.get_text_or_empty(i, "given_schema");
  planned.given_name = rows.get_text_or_empty(i, "given_name");
  return planned;
}

core::Job read_plan(const pg::Rows& rows, std::size_t i, const PlannedJob& planned) {
  core::Job plan;
  plan.id = planned.id;
  plan.owner = planned.owner_oid;
  plan.runnable = rows.get_bool(i, "runnable");
  plan.handled_until = rows.get_instant(i, "handled_until");
  plan.on_missed = from_column<core::OnMissed>(rows.get_text(i, "on_missed"));
  plan.on_overlap = from_column<core::OnOverlap>(rows.get_text(i, "on_overlap"));
  plan.priority = static_cast<int>(rows.get_int64(i, "priority"));
  plan.max_parallel = static_cast<int>(rows.get_int64(i, "max_parallel"));
  if (const auto at = rows.get_instant_or_null(i, "retry_at"))
    plan.retry = core::Retry{*at, rows.get_instant(i, "retry_due"),
                             static_cast<int>(rows.get_int64(i, "retry_attempt"))};
  return plan;
}

std::vector<JobToPlan> read_jobs(const pg::Rows& rows) {
  std::vector<JobToPlan> jobs;
  jobs.reserve(rows.size());
  std::map<Oid, OwnerRights> rights;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    JobToPlan& job = jobs.emplace_back();
    job.planned = read_planned_job(rows, i);
    job.times = read_times(rows, i);
    job.plan = read_plan(rows, i, job.planned);
    // The rights are looked up once for each owner: many jobs often have the same owner.
    const Oid owner = job.planned.owner_oid;
    const auto [found, is_new] = rights.try_emplace(owner);
    if (is_new) found->second = rights_of_owner(owner);
    job.planned.rights = found->second;
    job.plan.limited = job.planned.rights.limited;
    // Only admins may rank a job above others. The right may have been lost since the priority was
    // set.
    if (!job.planned.rights.admin) job.plan.priority = std::min(job.plan.priority, 0);
  }
  return jobs;
}

}  // namespace

OwnerRights rights_of_owner(Oid owner) {
  return {!pg::is_superuser(owner), extension::is_admin(owner)};
}

std::vector<JobToPlan> load_jobs_to_plan(pg::Spi& spi) {
  return read_jobs(spi.query(std::string(kSelectPlans) + " ORDER BY j.job_id"));
}

std::vector<JobToPlan> load_jobs_to_plan(pg::Spi& spi, const std::vector<std::int64_t>& ids) {
  return read_jobs(
      spi.query(std::string(kSelectPlans) + " WHERE j.job_id = ANY ($1) ORDER BY j.job_id",
                {pg::Param::array(ids)}));
}

}  // namespace metrics_refresh::store
