// Turns posted changes into events.
//
// The news in shared memory is removed when it is taken. If the tables cannot be read then, for
// example because of a lock, the job numbers stay in unread_jobs_, and read() is called again
// later. Requests and open groups are read as a whole, and compared with those of the last read. A
// request that is missing now was withdrawn.
#include "worker/job_feed.hpp"

#include <algorithm>
#include <set>

#include "extension/settings.hpp"
#include "pg/role_watch.hpp"
#include "pg/time.hpp"
#include "shmem/shmem.hpp"
#include "shmem/skipped_jobs.hpp"
#include "store/one_time_jobs.hpp"
#include "store/timetable.hpp"
#include "worker/group_run.hpp"
#include "worker/own_tables.hpp"

namespace metrics_refresh::worker {
namespace {

// The times up to which due times were skipped because nothing had changed. Only shared memory
// holds them.
std::map<core::JobId, core::Instant> skipped_until() {
  std::map<core::JobId, core::Instant> until;
  for (const shmem::SkippedJob& job : shmem::skipped_jobs())
    until[job.job_id] = pg::to_instant(job.times.handled_until);
  return until;
}

// If more jobs than this are unread, their numbers are dropped, and all jobs are read instead.
constexpr std::size_t kMostUnread = 10'000;

Oid find_extension() {
  return pg::call([] { return get_extension_oid("metrics_refresh", true); });
}

}  // namespace

bool is_at_rest_now() {
  return pg::call([] {
    const HeapTuple tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(MyDatabaseId));
    if (!HeapTupleIsValid(tuple)) return true;
    const bool served = may_be_served(reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple)));
    ReleaseSysCache(tuple);
    return !served;
  });
}

bool is_database_at_rest() {
  bool answer = false;
  pg::in_transaction([&answer] { answer = is_at_rest_now(); });
  return answer;
}

Oid extension_oid() {
  Oid oid = InvalidOid;
  pg::in_transaction([&oid] { oid = find_extension(); });
  return oid;
}

bool JobFeed::read(std::vector<core::Event>& events) {
  const shmem::Changes changes = shmem::take_changes(MyDatabaseId);
  look_at_owners(changes.roles != shmem::RoleNews::kNone);
  if (changes.any) {
    add_changes(changes);
  } else if (!(unread_ && is_time(try_again_at_, pg::now())) && !is_time_to_cancel()) {
    return true;
  }
  bool is_ours = true;
  std::vector<store::JobToPlan> jobs;
  std::vector<store::Request> requests;
  std::vector<store::OpenGroup> groups;
  const bool read = try_with_own_tables("the jobs cannot be read now", [&](pg::Spi& spi) {
    is_ours = find_extension() == extension_;
    if (!is_ours) return;
    at_rest_ = is_at_rest_now();
    requests = store::load_requests(spi);
    // The jobs are read after the requests. If a session changes a job and then requests a run, the
    // run must use the changed job.
    for (const store::Request& request : requests)
      if (requests_.count(request.run_id) == 0) unread_jobs_.push_back(request.job_id);
    if (unread_all_)
      jobs = store::load_jobs_to_plan(spi);
    else if (!unread_jobs_.empty())
      jobs = store::load_jobs_to_plan(spi, unread_jobs_);
    // The groups are read before any of them is canceled below. Otherwise the scheduler would not
    // learn of a group that was opened and canceled between two reads.
    if (unread_groups_ || !groups_.empty() || !canceled_groups_.empty())
      groups = store::load_open_groups(spi);
  });
  if (!read) {
    try_again_at_ = pg::now() + kTryAgain;
    return true;
  }
  if (!is_ours) return false;
  update_jobs(std::move(jobs), events);
  update_requests(requests, events);
  update_groups(groups, events);
  unread_ = unread_all_ = unread_groups_ = false;
  unread_jobs_.clear();
  close_canceled_groups();
  remove_one_time_jobs();
  return true;
}

std::optional<core::Instant> JobFeed::try_again_at() const {
  std::optional<core::Instant> at;
  if (unread_) at = try_again_at_;
  for (const Canceled& group : canceled_groups_)
    if (!at || group.again_at < *at) at = group.again_at;
  return at;
}

bool JobFeed::is_time_to_cancel() const {
  const core::Instant now = pg::now();
  return std::any_of(
      canceled_groups_.begin(), canceled_groups_.end(),
      [now](const Canceled& group) { return is_time(group.again_at, now, kLongestDelay); });
}

const store::PlannedJob* JobFeed::find(core::JobId id) const {
  const auto found = jobs_.find(id);
  return found == jobs_.end() ? nullptr : &found->second;
}

const store::Member* JobFeed::find_member(core::JobId group, int number) const {
  const auto found = groups_.find(group);
  if (found == groups_.end()) return nullptr;
  const std::vector<store::Member>& members = found->second.pending;
  const auto at = std::lower_bound(
      members.begin(), members.end(), number,
      [](const store::Member& member, int wanted) { return member.number < wanted; });
  return at != members.end() && at->number == number ? &*at : nullptr;
}

// If the rights of an owner have changed, its jobs are read again. Without news of roles no
// transaction is started, because the scheduler mostly wakes up for a run that is due.
void JobFeed::look_at_owners(bool has_news) {
  const std::string admin_role = settings::admin_role();
  if (!pg::take_role_changes() && !has_news && admin_role == admin_role_) return;
  admin_role_ = admin_role;
  std::map<Oid, store::OwnerRights> rights;
  pg::in_transaction([&] {
    for (const auto& [id, job] : jobs_) {
      const auto [found, is_new] = rights.try_emplace(job.owner_oid);
      if (is_new) found->second = store::rights_of_owner(job.owner_oid);
      if (!(found->second == job.rights)) unread_jobs_.push_back(id);
    }
  });
  if (unread_jobs_.empty()) return;
  unread_ = true;
  try_again_at_ = std::min(try_again_at_, pg::now());
}

// The limit bounds the memory while the tables cannot be read.
void JobFeed::add_changes(const shmem::Changes& changes) {
  unread_ = true;
  unread_all_ = unread_all_ || changes.all;
  roles_ = roles_ || changes.roles >= shmem::RoleNews::kGone;
  unread_jobs_.insert(unread_jobs_.end(), changes.jobs, changes.jobs + changes.count);
  if (unread_jobs_.size() > kMostUnread) {
    unread_all_ = true;
    unread_jobs_.clear();
  }
  for (int i = 0; i < changes.canceled_count; ++i) add_canceled(changes.canceled_groups[i], true);
}

void JobFeed::add_canceled(core::RunId run, bool members_too) {
  for (Canceled& known : canceled_groups_) {
    if (known.run != run) continue;
    known.members_too = known.members_too || members_too;
    return;
  }
  canceled_groups_.push_back({run, members_too});
}

void JobFeed::update_jobs(std::vector<store::JobToPlan> jobs, std::vector<core::Event>& events) {
  std::set<core::JobId> gone(unread_jobs_.begin(), unread_jobs_.end());
  if (unread_all_)
    for (const auto& [id, job] : jobs_) gone.insert(gone.end(), id);
  // If only some jobs are read, core::Scheduler knows their handled due times already.
  std::map<core::JobId, core::Instant> skipped;
  if (unread_all_) skipped = skipped_until();
  for (store::JobToPlan& job : jobs) {
    core::Job& plan = job.plan;
    gone.erase(plan.id);
    one_time_jobs_ = one_time_jobs_ || job.planned.one_time;
    jobs_[plan.id] = std::move(job.planned);
    try {
      plan.timetable = store::timetable_of(job.times);
      const auto passed = skipped.find(plan.id);
      if (passed != skipped.end())
        plan.handled_until = std::max(plan.handled_until, passed->second);
      events.push_back(core::JobChanged{std::move(plan)});
    } catch (const std::exception&) {
      // The row was written without the trigger of the table, or its time zone does not exist any
      // more.
      log_current_exception(("job " + job.times.name + " cannot be scheduled").c_str());
      events.push_back(core::JobRemoved{plan.id});
    }
  }
  for (const core::JobId id : gone) {
    jobs_.erase(id);
    events.push_back(core::JobRemoved{id});
  }
}

void JobFeed::update_requests(const std::vector<store::Request>& requests,
                              std::vector<core::Event>& events) {
  std::map<core::RunId, core::JobId> open;
  for (const store::Request& request : requests) {
    open[request.run_id] = request.job_id;
    events.push_back(core::TriggerRequested{request.run_id, request.job_id});
  }
  bool withdrawn = false;
  for (const auto& [run, job] : requests_) {
    if (open.count(run) != 0) continue;
    events.push_back(core::TriggerWithdrawn{run});
    withdrawn = true;
  }
  requests_ = std::move(open);
  if (withdrawn) shmem::announce_run_end();  // a session may wait for the end of the run
}

void JobFeed::update_groups(const std::vector<store::OpenGroup>& groups,
                            std::vector<core::Event>& events) {
  std::map<core::JobId, store::OpenGroup> open;
  for (const store::OpenGroup& group : groups) {
    open[group.job_id] = group;
    core::GroupOpened event{group.job_id, group.group_run_id, {}};
    for (const store::Member& member : group.pending)
      event.pending.push_back({member.number, member.waits_for});
    events.push_back(std::move(event));
    // If the job was removed meanwhile, the members under way continue, and the others do not
    // begin.
    if (jobs_.count(group.job_id) == 0 && !group.pending.empty())
      add_canceled(group.group_run_id, false);
  }
  for (const auto& [job, group] : groups_)
    if (open.count(job) == 0) events.push_back(core::GroupOpened{job, group.group_run_id, {}});
  groups_ = std::move(open);
}

// Removes one-time jobs whose run is over. A run could not remove its job if another session had
// locked the row. The end of that session's transaction has posted the job as changed.
void JobFeed::remove_one_time_jobs() {
  if (!std::exchange(one_time_jobs_, false)) return;
  try_with_own_tables("jobs of one run cannot be removed now",
                      [](pg::Spi& spi) { store::remove_finished_one_time_jobs(spi); });
}

// First cancels the members that have not begun, and then, if requested, those under way. In the
// opposite order a worker that ends its member would log the others as skipped instead of canceled.
// Each group has a transaction of its own, so that a lock on one does not delay the others.
void JobFeed::close_canceled_groups() {
  bool closed = false;
  for (std::size_t i = 0; i < canceled_groups_.size();) {
    Canceled& group = canceled_groups_[i];
    if (!is_time(group.again_at, pg::now(), kLongestDelay)) {
      ++i;
      continue;
    }
    const Attempt attempt =
        attempt_with_own_tables(kSchedulerLockTimeout, "a group cannot be canceled now",
                                [&](pg::Spi& spi) { cancel_group(spi, group.run); });
    if (group.members_too) shmem::cancel_members(MyDatabaseId, group.run);
    if (attempt == Attempt::kDone) {
      canceled_groups_.erase(canceled_groups_.begin() + static_cast<std::ptrdiff_t>(i));
      closed = true;
      continue;
    }
    const core::Instant now = pg::now();
    group.again_at = attempt == Attempt::kFailed ? group.backoff.next(now) : now + kTryAgain;
    ++i;
  }
  if (!closed) return;
  unread_ = unread_groups_ = true;
  try_again_at_ = pg::now();
  shmem::announce_run_end();
}

}  // namespace metrics_refresh::worker
