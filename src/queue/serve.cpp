#include "queue/serve.hpp"

#include <algorithm>

#include "extension/settings.hpp"
#include "pg/time.hpp"
#include "pg/transaction.hpp"
#include "queue/job_runner.hpp"
#include "shmem/worker_slots.hpp"
#include "store/own_tables.hpp"
#include "store/queue/span.hpp"

namespace metrics_refresh::queue {
namespace {

using shmem::queue::Found;
using shmem::queue::Next;
using shmem::queue::NextStep;
using shmem::queue::Reading;

// Changes of the role and its settings are noticed after this time at the latest.
constexpr core::Duration kLookAtSession = std::chrono::seconds(1);
// After something that cannot be done now.
constexpr core::Duration kPause = std::chrono::milliseconds(100);

JobRunner* present_runner = nullptr;

bool has_temporary_schema() {
  Oid schema = InvalidOid;
  Oid toast_schema = InvalidOid;
  GetTempNamespaceState(&schema, &toast_schema);
  return OidIsValid(schema);
}

class Service {
 public:
  Service(int worker, WorkerSession& session, pg::Sleeper& sleeper)
      : worker_(worker), session_(session), sleeper_(sleeper), runner_(worker, session) {
    present_runner = &runner_;
  }
  ~Service() { present_runner = nullptr; }
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  void run() {
    for (Next next = first(); next.step != NextStep::kLeave;) {
      handle_interrupts();
      if (next.step == NextStep::kRun) {
        next = perform(next.started);
        continue;
      }
      if (next.step == NextStep::kRead)
        read(next.reading);
      else if (!rest())
        return;
      next = shmem::queue::next();
    }
    runner_.rest();
  }

 private:
  static void handle_interrupts() {
    pg::call([] {
      CHECK_FOR_INTERRUPTS();
      if (!ConfigReloadPending) return;
      ConfigReloadPending = false;
      ProcessConfigFile(PGC_SIGHUP);
    });
  }

  Next first() {
    pg::call([] { pgstat_report_activity(STATE_RUNNING, "background jobs"); });
    last_job_ = pg::now();
    check_fitness();
    return is_fit_ ? shmem::queue::next() : Next{};
  }

  Next perform(const shmem::queue::Started& started) {
    bool failed = false;
    const JobRunner::Ends& ends = runner_.perform(started, &failed);
    const auto count = static_cast<std::uint32_t>(ends.size());
    is_clean_ = false;
    pg::send_statistics(false);
    check_fitness();
    if (!failed && is_fit_) return shmem::queue::end_and_next(ends.data(), count);
    shmem::queue::end(ends.data(), count);
    shmem::queue::give_back_waiting();
    if (!is_fit_) return Next{};
    pause();
    return shmem::queue::next();
  }

  // A worker that is not fit claims no more jobs, and exits.
  void check_fitness() {
    if (shmem::is_to_leave(worker_)) is_fit_ = false;
    if (has_temporary_schema() && !is_clean_) reset();
    const std::int64_t now = pg::steady_now();
    if (!is_fit_ || now < looked_at_ + kLookAtSession.count()) return;
    looked_at_ = now;
    is_fit_ = session_.is_current();
  }

  void reset() {
    if (!is_clean_ && !session_.reset()) is_fit_ = false;
    is_clean_ = true;
  }

  // Sleeps if there is nothing to do. Returns false if the service ends.
  bool rest() {
    runner_.rest();
    pg::send_statistics(true);
    if (!is_clean_) last_job_ = pg::now();
    reset();
    check_fitness();
    if (!is_fit_) return false;
    TimestampTz look_again = 0;
    if (!shmem::queue::rest(&look_again)) return true;
    const core::Instant end = last_job_ + settings::worker_idle_timeout();
    if (pg::now() >= end) return false;
    show_rest(true);
    (void)sleeper_.sleep_until(std::min(end, pg::to_instant(look_again)));
    show_rest(false);
    check_fitness();
    return is_fit_;
  }

  void show_rest(bool rests) {
    shmem::show_rest(worker_, rests);
    pg::call([rests] {
      pgstat_report_activity(rests ? STATE_IDLE : STATE_RUNNING,
                             rests ? nullptr : "background jobs");
    });
  }

  void pause() {
    const core::Instant end = pg::now() + kPause;
    while (pg::now() < end) (void)sleeper_.sleep_until(end);
  }

  // The jobs of a span that is not exact are put back one by one.
  void read(const Reading& reading) {
    try {
      pg::begin_job_transaction();
      const store::queue::SpanRead read =
          store::queue::read_span(reading, GetActiveSnapshot(), found_);
      (void)pg::commit_job_transaction(synchronous_commit);
      shmem::queue::put_back(found_, read.count, read.until);
    } catch (const std::exception&) {
      store::log_current_exception("queued jobs cannot be read");
      pg::abort_job_transaction();
      shmem::queue::put_back(nullptr, 0, reading.first - 1);
      pause();
    }
  }

  const int worker_;
  WorkerSession& session_;
  pg::Sleeper& sleeper_;
  JobRunner runner_;
  bool is_fit_ = true;
  bool is_clean_ = true;        // the session was reset since the last job
  std::int64_t looked_at_ = 0;  // when is_current() was asked, by pg::steady_now()
  core::Instant last_job_;
  Found found_[store::queue::kMostInSpan];
};

// The process that had the slot before may still be exiting.
bool attach(int worker, Oid owner) {
  pg::in_transaction_without_snapshot([] { (void)shmem::queue::find_queue(); });
  for (int tries = 0; tries < 100; ++tries) {
    if (shmem::queue::attach(worker, owner)) return true;
    pg::call([] {
      CHECK_FOR_INTERRUPTS();
      pg_usleep(1000);
    });
  }
  return false;
}

}  // namespace

void serve(int worker, Oid owner, WorkerSession& session, pg::Sleeper& sleeper) {
  if (!attach(worker, owner)) return;
  std::make_unique<Service>(worker, session, sleeper)->run();
  shmem::queue::detach();
}

void end_at_exit() noexcept {
  if (present_runner != nullptr) present_runner->end_at_exit();
}

}  // namespace metrics_refresh::queue
