// The transaction of a group. Its jobs are read, performed and ended one by one, but their ends are
// written together, before the one commit. Nothing of a job that has failed is left in it, since
// its subtransaction was rolled back; its failure is written with the ends of the others.
#include "queue/job_runner.hpp"

#include "extension/own_schema.hpp"
#include "extension/settings.hpp"
#include "pg/time.hpp"
#include "pg/transaction.hpp"
#include "queue/job_commit.hpp"
#include "queue/job_end.hpp"
#include "shmem/queue/types.hpp"
#include "shmem/worker_slots.hpp"
#include "store/own_tables.hpp"
#include "store/queue/ended.hpp"
#include "store/queue/periods.hpp"

namespace metrics_refresh::queue {

using shmem::queue::kMostInGroup;
using shmem::queue::Next;
using shmem::queue::NextStep;
using shmem::queue::Outcome;

// An error of a handler ends its subtransaction only. A pending cancel was meant for its job.
void JobRunner::perform_member(Member& member, HandledType& type) {
  member.job = read(member.started);
  if (!member.job) return;
  RunningJob running{member.job->id, member.job->type, member.job->attempts + 1, std::nullopt};
  pg::detail::Subtransaction subtransaction;
  try {
    pg::call([] { PushActiveSnapshot(GetTransactionSnapshot()); });
    call_handler(member.started, *member.job, type, running, Triggers::kDefer);
    pg::call([] { PopActiveSnapshot(); });
    subtransaction.commit();
    member.end.outcome = running.snooze ? Outcome::kParked : Outcome::kCompleted;
    member.snooze = running.snooze;
  } catch (const std::exception&) {
    member.error = stop_failed_handler(type);
    member.is_canceled = shmem::queue::is_canceled();
    subtransaction.roll_back();
  }
  member.finished_at = GetCurrentTimestamp();
  fill_end(*member.job, took_, member.end);
}

// If the server crashes now, any of the jobs may be the reason. If it is one alone, it is named.
void JobRunner::name_group(const std::vector<Member>& members) {
  if (members.size() == 1) return;
  const Started& first = members[0].started;
  claims_.write({MyDatabaseId, first.job, 0, first.type});
}

void JobRunner::write_ends_of_group(std::vector<Member>& members, const HandledType& type) {
  std::vector<store::queue::Completed> completed;
  for (const Member& member : members) {
    if (member.end.outcome != Outcome::kCompleted) continue;
    store::queue::Completed row;
    row.job = &*member.job;
    row.started_at = member.started.at;
    row.finished_at = member.finished_at;
    completed.push_back(row);
  }
  if (!completed.empty())
    store::queue::finish_many(completed.data(), completed.size(), store::queue::current_period());
  for (Member& member : members) {
    if (member.snooze) write_snooze(*member.job, *member.snooze);
    if (member.is_canceled)
      write_cancel(*member.job, member.started, member.end);
    else if (member.error)
      write_failure(*member.job, member.started, type, *member.error, member.end);
  }
}

void JobRunner::perform_group(const Started& first, HandledType& type) {
  MemoryContextReset(memory_);
  const std::int64_t end = pg::steady_now() + settings::queue_group_time().count();
  std::vector<Member> members;
  members.reserve(kMostInGroup);
  try {
    pg::begin_job_transaction();
    Next next;
    next.step = NextStep::kRun;
    next.started = first;
    while (next.step == NextStep::kRun) {
      members.emplace_back(next.started);
      perform_member(members.back(), type);
      next.step = NextStep::kNothing;
      if (members.size() < kMostInGroup && pg::steady_now() < end && !shmem::is_to_leave(worker_))
        next = shmem::queue::next(true);
    }
    name_group(members);
    fire_triggers_of_group(first, type);
    write_ends_of_group(members, type);
    bool has_failures = false;
    for (const Member& member : members) has_failures = has_failures || member.error;
    flush_.note_commit(
        commit_jobs(0, has_failures ? SYNCHRONOUS_COMMIT_LOCAL_FLUSH : way_to_commit()));
    for (const Member& member : members) ends_.push_back(member.end);
    return;
  } catch (const std::exception&) {
    stop_triggers();
    if (!members.empty() && is_canceled(members.back().started)) members.back().is_canceled = true;
    store::log_current_exception("a group of jobs cannot commit, so that each of them runs alone");
    pg::abort_job_transaction();
  }
  for (const Member& member : members) {
    shmem::queue::go_on_with(member.started.job, member.is_canceled);
    flush_.before_job(member.started.mean);
    // The others are given back if another owner needs the worker.
    ends_.push_back(shmem::is_to_leave(worker_) ? End{member.started.job, Outcome::kReturned}
                                                : perform_alone(member.started, type));
    // At once, so that a process that waits for it need not wait for the others.
    shmem::queue::end(&ends_.back(), 1);
  }
}

}  // namespace metrics_refresh::queue
