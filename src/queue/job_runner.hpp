// Performs the jobs that a worker has started, and writes their ends.
//
// A job alone (exactly_once, and the jobs of a group that failed):
//
//   begin, snapshot: read the row ─▶ handler ─▶ end mark and history row ─▶ commit
//                      │ not a job      │ error, timeout, cancel
//                      ▼                ▼
//                   nothing          abort ─▶ begin: read the row again, failure, end mark, row in
//                                             queue_later or queue_stopped ─▶ commit, flushed
//
// A group does the same with many jobs in one transaction, each handler in a subtransaction. If the
// transaction fails, each job runs alone. So the effect of a job and its end are always in one
// commit, and a job whose end is not committed runs again.
#pragma once

#include <vector>

#include "queue/flush_policy.hpp"
#include "queue/handled_types.hpp"
#include "queue/worker_session.hpp"
#include "shmem/queue/claims_file.hpp"
#include "shmem/queue/work.hpp"
#include "store/queue/hot.hpp"
#include "store/queue/running_job.hpp"
#include "store/runs.hpp"

namespace metrics_refresh::queue {

class JobRunner {
 public:
  /// `worker` is the index of the slot.
  JobRunner(int worker, WorkerSession& session);
  ~JobRunner();
  JobRunner(const JobRunner&) = delete;
  JobRunner& operator=(const JobRunner&) = delete;

  /// The ends of the jobs that were performed.
  using Ends = std::vector<shmem::queue::End>;

  /// Performs the job, and if its type is grouped, others of the bite. The result is valid until
  /// the next call. If a job could not be performed now, `failed` is set: its end says kReturned,
  /// and the worker should pause.
  const Ends& perform(const shmem::queue::Started& started, bool* failed);

  /// Makes all commits durable, and says that this worker has no job.
  void rest();

  /// For the exit of the process by SIGTERM while a handler runs. If that was because the job has
  /// exceeded its timeout, or was canceled, this end is written, since the handler does not end by
  /// a cancel. Other exits are counted; too many of them in a row are a failure of the job. Says
  /// that this worker has no job.
  void end_at_exit() noexcept;

 private:
  using Started = shmem::queue::Started;
  using End = shmem::queue::End;
  using Job = store::queue::Job;
  using RunningJob = store::queue::RunningJob;

  /// A job of a group.
  struct Member {
    explicit Member(const Started& started_) : started(started_) {
      end.job = started.job;
      end.outcome = shmem::queue::Outcome::kIsNoJob;
    }
    Started started;
    End end;
    std::optional<Job> job;
    TimestampTz finished_at = 0;
    std::optional<core::Duration> snooze;
    std::optional<store::RunError> error;
    bool is_canceled = false;
  };

  End perform_alone(const Started& started, HandledType& type);
  void perform_group(const Started& first, HandledType& type);
  void perform_member(Member& member, HandledType& type);
  void name_group(const std::vector<Member>& members);
  void write_ends_of_group(std::vector<Member>& members, const HandledType& type);

  std::optional<Job> read(const Started& started);
  enum class Triggers { kFire, kDefer };  // deferred ones, with the handler or with the group
  void call_handler(const Started& started, const Job& job, HandledType& type, RunningJob& running,
                    Triggers triggers);
  store::RunError stop_failed_handler(const HandledType& type);
  void fire_triggers_of_group(const Started& first, const HandledType& type);
  void stop_triggers();
  void finish(const Job& job, const Started& started);
  End fail(const Started& started, const HandledType& type, const store::RunError& error);
  End end_failed(const Started& started, const HandledType& type, const store::RunError& error);
  void end_handler_at_exit() noexcept;
  std::optional<store::RunError> error_at_exit(const Started& started) const;
  static bool is_canceled(const Started& started);
  HandledType* find_type(store::queue::TypeId type);
  int way_to_commit() const;

  const int worker_;
  WorkerSession& session_;
  shmem::queue::ClaimsFile claims_;
  FlushPolicy flush_;
  HandledTypes types_;
  MemoryContext memory_;  // of the job, or of the group
  Ends ends_;
  std::optional<int> commit_of_handler_;  // synchronous_commit, if a handler has set it
  core::Duration took_{};                 // by the last handler
  // While a handler runs:
  const Started* in_handler_ = nullptr;
  const HandledType* type_in_handler_ = nullptr;
  // While deferred triggers of a group run: its first job.
  const Started* in_triggers_ = nullptr;
};

}  // namespace metrics_refresh::queue
