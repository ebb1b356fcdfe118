// Sets views up for the strategy incremental when a job that asks for it is written. Reports views
// that may not need it any more. The set-up is done at once, in the caller's transaction. The
// removal is left to the scheduler, because dropping a trigger takes an exclusive lock on its
// table.
#include "api/jobs/incremental_jobs.hpp"

#include <algorithm>

#include "api/access.hpp"
#include "engine/incremental/setup/setup.hpp"
#include "engine/skip/skip_audit.hpp"
#include "engine/view/view.hpp"
#include "extension/own_schema.hpp"
#include "extension/privilege.hpp"
#include "store/groups.hpp"
#include "store/incremental.hpp"

namespace metrics_refresh::api {

namespace {

bool may_all_refresh(const std::vector<Oid>& roles, const engine::View& view) {
  return std::all_of(roles.begin(), roles.end(),
                     [&view](Oid role) { return engine::has_view_rights(role, view); });
}

std::vector<Oid> views_of(const store::JobRecord& job) {
  std::vector<Oid> views;
  const auto add = [&views](const store::BoundView& bound) {
    const Oid view = engine::resolve_view(bound);
    if (OidIsValid(view)) views.push_back(view);
  };
  if (job.is_refresh()) add(job);
  if (!job.is_group()) return views;
  std::vector<store::Member> members;
  extension::as_extension([&](pg::Spi& spi) { members = store::members_of_group(spi, job); });
  for (const store::Member& member : members) add(member);
  return views;
}

// Setting the strategy of a job ends the alarms of earlier audits, for those of its views over
// which these roles have rights.
void end_alarms(const std::vector<Oid>& roles, const store::JobRecord& job) {
  for (const Oid view : views_of(job))
    if (may_all_refresh(roles, engine::read_view(view))) engine::end_alarm(view);
}

}  // namespace

std::vector<Oid> incremental_views(const store::JobRecord& job) {
  if (!store::has_trait(job.strategy, store::kSetUpByJob)) return {};
  return views_of(job);
}

void set_up_views_of_job(const std::vector<Oid>& before, const store::JobRecord& job) {
  std::vector<Oid> roles = {job.owner_oid};
  // Triggers on a table must be allowed by the job's owner and by the caller. A super admin may do
  // this for any owner.
  if (!extension::is_super_admin()) roles.push_back(GetUserId());
  for (const Oid oid : incremental_views(job)) {
    const engine::View view = engine::read_view(oid);
    // In a schema, other roles may have created views since. These views are left alone.
    if (job.group_schema.empty() || may_all_refresh(roles, view))
      engine::set_up_incremental(view, roles, true);
  }
  // After the set-up: a view that is still wanted is found to be in use, and nothing is removed.
  release_views_of_job(before);
  end_alarms(roles, job);
}

void release_views_of_job(const std::vector<Oid>& before) {
  if (before.empty()) return;
  extension::as_extension([&](pg::Spi& spi) {
    for (const Oid view : before) store::queue_sweep_of_view(spi, view);
  });
}

}  // namespace metrics_refresh::api
