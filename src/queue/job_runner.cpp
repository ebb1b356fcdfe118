#include "queue/job_runner.hpp"

#include "extension/settings.hpp"
#include "pg/time.hpp"
#include "queue/job_commit.hpp"
#include "queue/job_end.hpp"
#include "queue/job_timer.hpp"
#include "shmem/worker_slots.hpp"
#include "store/backoff.hpp"
#include "store/own_tables.hpp"
#include "store/queue/ended.hpp"
#include "store/queue/periods.hpp"

namespace metrics_refresh::queue {
namespace {

using shmem::queue::Outcome;
using store::RunError;

// An administrator may terminate workers without harm to the jobs that they perform. If so many
// workers end in one job, it is the job that ends them.
constexpr int kMostLostWorkers = 10;

core::Duration transaction_timeout() {
  return std::chrono::milliseconds(pg::job_transaction_timeout());
}

bool is_under_transaction_timeout(const HandledType& type) {
  const core::Duration limit = transaction_timeout();
  return limit.count() > 0 && (type.row.timeout.count() == 0 || limit < type.row.timeout);
}

// A job has one transaction, so a shorter transaction_timeout of the owner is its timeout.
core::Duration timeout_of(const HandledType& type) {
  return is_under_transaction_timeout(type) ? transaction_timeout() : type.row.timeout;
}

// The error of the cancel says nothing of its reason.
RunError timeout_error(const HandledType& type, std::string context) {
  RunError error =
      store::run_error(ERRCODE_QUERY_CANCELED,
                       "the job exceeded its timeout of " +
                           std::to_string(core::to_milliseconds(timeout_of(type))) + " ms",
                       is_under_transaction_timeout(type)
                           ? "It is the transaction_timeout of the owner of the job type."
                           : "The timeout is an option of the job type.");
  error.context = std::move(context);
  return error;
}

RunError lost_worker_error() {
  return store::run_error(ERRCODE_ADMIN_SHUTDOWN,
                          "the worker of the job was terminated " +
                              std::to_string(kMostLostWorkers) + " times in a row",
                          "Perhaps the handler ends its own process.");
}

RunError describe_failure(const HandledType& type) {
  RunError error = store::describe_current_error();
  if (!error.is(ERRCODE_QUERY_CANCELED) || !has_job_timed_out()) return error;
  return timeout_error(type, std::move(error.context));
}

// The settings since this nest level, and all else that a handler may leave in the session. The
// commit would execute cursors WITH HOLD to their end. A background process cannot LISTEN.
void clear_session(int level) {
  pg::call([level] {
    PortalHashTableDeleteAll();
    AtEOXact_GUC(false, level);
    DropAllPreparedStatements();
    ResetSequenceCaches();
  });
}

// Advisory locks of the session. Those of the transaction were released by its end.
void release_locks() {
  pg::call([] { LockReleaseAll(USER_LOCKMETHOD, true); });
}

}  // namespace

JobRunner::JobRunner(int worker, WorkerSession& session)
    : worker_(worker), session_(session), claims_(worker), memory_(pg::call([] {
        return AllocSetContextCreate(TopMemoryContext, "metrics_refresh job",
                                     ALLOCSET_DEFAULT_SIZES);
      })) {}

JobRunner::~JobRunner() {
  flush_.leave_to_launcher();
  MemoryContextDelete(memory_);
}

const JobRunner::Ends& JobRunner::perform(const Started& started, bool* failed) {
  ends_.clear();
  commit_of_handler_.reset();
  HandledType* const type = find_type(started.type);
  if (type == nullptr) {
    ends_.push_back({started.job, Outcome::kReturned});
  } else {
    flush_.before_job(started.mean);
    const bool is_group = type->row.mode == store::queue::JobMode::kGrouped && !started.is_single;
    if (is_group)
      perform_group(started, *type);
    else
      ends_.push_back(perform_alone(started, *type));
    release_locks();
  }
  *failed = ends_.back().outcome == Outcome::kReturned;
  return ends_;
}

// A cancel request is for the job that was started last.
bool JobRunner::is_canceled(const Started& started) {
  return shmem::queue::is_canceled() && shmem::queue::running_job() == started.job;
}

// Nothing if a moment ago the type was dropped, was given to another role, or got the mode
// external.
HandledType* JobRunner::find_type(store::queue::TypeId type) {
  try {
    return types_.find(type);
  } catch (const std::exception&) {
    store::log_current_exception("the type of a queued job cannot be read");
    pg::abort_job_transaction();
    return nullptr;
  }
}

void JobRunner::rest() {
  flush_.flush();
  claims_.clear();
}

std::optional<store::queue::Job> JobRunner::read(const Started& started) {
  MemoryContext const before = MemoryContextSwitchTo(memory_);
  const std::optional<Job> job =
      store::queue::read_job({started.job, started.tid, started.segment}, GetActiveSnapshot());
  MemoryContextSwitchTo(before);
  if (job) claims_.write({MyDatabaseId, job->id, job->version, 0});
  return job;
}

JobRunner::End JobRunner::perform_alone(const Started& started, HandledType& type) {
  End end;
  end.job = started.job;
  end.outcome = Outcome::kReturned;
  std::optional<RunError> error;
  MemoryContextReset(memory_);
  try {
    pg::begin_job_transaction();
    const std::optional<Job> job = read(started);
    if (!job) {
      (void)pg::commit_job_transaction(synchronous_commit);
      end.outcome = Outcome::kIsNoJob;
      return end;
    }
    RunningJob running{job->id, job->type, job->attempts + 1, std::nullopt};
    error.emplace();  // from here on, a failure is one of the job
    call_handler(started, *job, type, running, Triggers::kFire);
    fill_end(*job, took_, end);
    if (running.snooze)
      write_snooze(*job, *running.snooze);
    else
      finish(*job, started);
    end.outcome = running.snooze ? Outcome::kParked : Outcome::kCompleted;
    flush_.note_commit(commit_jobs(started.job, way_to_commit()));
    return end;
  } catch (const std::exception&) {
    if (error)
      error = stop_failed_handler(type);
    else
      store::log_current_exception("a queued job cannot be read");
    pg::abort_job_transaction();
  }
  return error ? fail(started, type, *error) : end;
}

// Nothing that the handler leaves in the session is left when the end of the job is written.
void JobRunner::call_handler(const Started& started, const Job& job, HandledType& type,
                             RunningJob& running, Triggers triggers) {
  const int synchronous = synchronous_commit;
  const int level = NewGUCNestLevel();
  store::queue::set_running_job(&running);
  type_in_handler_ = &type;
  in_handler_ = &started;
  shmem::show_work(worker_);
  took_ = core::Duration(-pg::steady_now());
  session_.accept_cancel(true);
  start_job_timer(timeout_of(type));
  // A request may have come before cancels were accepted.
  if (is_canceled(started))
    throw pg::SqlError(ERRCODE_QUERY_CANCELED, "the job was canceled before it began");
  MemoryContext const before = MemoryContextSwitchTo(memory_);
  type.handler.call(job);
  MemoryContextSwitchTo(before);
  // Deferred triggers are part of the work, and under its limits. A group fires them together.
  if (triggers == Triggers::kFire) pg::call([] { AfterTriggerFireDeferred(); });
  stop_job_timer();
  session_.accept_cancel(false);
  in_handler_ = nullptr;
  took_ += core::Duration(pg::steady_now());
  store::queue::set_running_job(nullptr);
  pg::call([] { CHECK_FOR_INTERRUPTS(); });  // raises the error of an earlier cancel
  if (synchronous_commit != synchronous) commit_of_handler_ = synchronous_commit;
  clear_session(level);
}

// REQUIRES: the exception is being handled.
store::RunError JobRunner::stop_failed_handler(const HandledType& type) {
  session_.accept_cancel(false);
  QueryCancelPending = false;
  if (in_handler_ != nullptr) took_ += core::Duration(pg::steady_now());
  in_handler_ = nullptr;
  store::queue::set_running_job(nullptr);
  RunError error = describe_failure(type);
  stop_job_timer();
  return error;
}

// Deferred triggers of all jobs of the group, under the limit of one. What they leave in the
// session is cleared, as after a handler.
void JobRunner::fire_triggers_of_group(const Started& first, const HandledType& type) {
  const int level = NewGUCNestLevel();
  in_triggers_ = &first;
  session_.accept_cancel(true);
  start_job_timer(timeout_of(type));
  pg::call([] { AfterTriggerFireDeferred(); });
  stop_triggers();
  pg::call([] { CHECK_FOR_INTERRUPTS(); });
  clear_session(level);
}

void JobRunner::stop_triggers() {
  stop_job_timer();
  session_.accept_cancel(false);
  in_triggers_ = nullptr;
}

int JobRunner::way_to_commit() const {
  if (commit_of_handler_) return *commit_of_handler_;
  return settings::queue_flush() == settings::QueueFlush::kPerJob ? synchronous_commit
                                                                  : SYNCHRONOUS_COMMIT_OFF;
}

void JobRunner::finish(const Job& job, const Started& started) {
  store::queue::Completed completed;
  completed.job = &job;
  completed.started_at = started.at;
  completed.finished_at = GetCurrentTimestamp();
  store::queue::finish(completed, store::queue::current_period());
}

// Until the failure is written, the job has no other worker. If it cannot be written, it is tried
// again, at last once a minute.
JobRunner::End JobRunner::fail(const Started& started, const HandledType& type,
                               const RunError& error) {
  store::Backoff backoff;
  for (;;) {
    try {
      return end_failed(started, type, error);
    } catch (const std::exception&) {
      store::log_current_exception("the failure of a queued job cannot be written");
      pg::abort_job_transaction();
    }
    const core::Instant again = backoff.next(pg::now());
    while (pg::now() < again)
      pg::call([] {
        CHECK_FOR_INTERRUPTS();
        pg_usleep(10'000);
      });
  }
}

// The row is read again, so that a job which has an end in spite of all is not ended twice.
JobRunner::End JobRunner::end_failed(const Started& started, const HandledType& type,
                                     const RunError& error) {
  End end;
  end.job = started.job;
  end.outcome = Outcome::kIsNoJob;
  MemoryContextReset(memory_);
  pg::begin_job_transaction();
  clear_session(NewGUCNestLevel());
  if (const std::optional<Job> job = read(started)) {
    fill_end(*job, took_, end);
    if (is_canceled(started))
      write_cancel(*job, started, end);
    else
      write_failure(*job, started, type, error, end);
  }
  (void)commit_jobs(started.job, SYNCHRONOUS_COMMIT_LOCAL_FLUSH);
  return end;
}

// Called at the exit of the process, before the server aborts the transaction. Such an exit is no
// crash, also if the server is shut down.
void JobRunner::end_at_exit() noexcept {
  end_handler_at_exit();
  flush_.leave_to_launcher();
  claims_.clear();
}

void JobRunner::end_handler_at_exit() noexcept {
  const Started* const started = std::exchange(in_handler_, nullptr);
  if (started == nullptr) {
    // A deferred trigger of the group. Its jobs run singly, one by one.
    if (in_triggers_ != nullptr && !shmem::is_to_leave(worker_))
      (void)shmem::queue::count_lost_worker(in_triggers_->job, kMostLostWorkers);
    return;
  }
  try {
    const std::optional<RunError> error = error_at_exit(*started);
    if (!error) return;
    pg::abort_job_transaction();
    const End end = end_failed(*started, *type_in_handler_, *error);
    shmem::queue::end(&end, 1);
  } catch (const std::exception&) {
    // The job is given back, and runs again.
  }
}

// Nothing if the job is given back, and the attempt does not count.
std::optional<RunError> JobRunner::error_at_exit(const Started& started) const {
  if (has_job_timed_out() || shmem::queue::is_canceled())
    return timeout_error(*type_in_handler_, {});
  if (shmem::is_to_leave(worker_)) return std::nullopt;
  if (shmem::queue::count_lost_worker(started.job, kMostLostWorkers) < kMostLostWorkers)
    return std::nullopt;
  return lost_worker_error();
}

}  // namespace metrics_refresh::queue
