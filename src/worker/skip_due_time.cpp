#include "worker/skip_due_time.hpp"

#include <algorithm>

#include "engine/skip/skip_audit.hpp"
#include "engine/view/view.hpp"
#include "extension/settings.hpp"
#include "pg/time.hpp"
#include "shmem/skipped_jobs.hpp"

namespace metrics_refresh::worker {

using store::JobRecord;
using store::Member;
using store::RunHead;

bool skip_due_time(pg::Spi& spi, const RunHead& head, const Task& task) {
  const JobRecord& job = task.job;
  if (head.manual || head.attempt > 1 || task.reason || job.is_command() || job.one_time ||
      !job.last_succeeded || settings::log_skips())
    return false;
  std::vector<Oid> views;
  if (job.is_refresh()) views.push_back(task.view);
  if (job.is_group())
    for (const Member& member : store::members_of_group(spi, job))
      views.push_back(engine::resolve_view(member));
  if (views.size() > store::kMaxMembers) return false;
  if (views.empty() || std::find(views.begin(), views.end(), InvalidOid) != views.end())
    return false;
  if (!are_fresh(job, views) || !shmem::count_skipped_job(job.id, pg::to_timestamptz(head.started),
                                                          pg::to_timestamptz(*head.handled_until)))
    return false;
  for (const Oid view : views) engine::count_skip(view);
  return true;
}

}  // namespace metrics_refresh::worker
