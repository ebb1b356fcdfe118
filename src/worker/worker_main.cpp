// The main loop of a worker.
//
// A worker connects as the owner whose runs it performs, and never changes that role. After each
// run its session is reset, and the result is stored in the slot. If the session cannot be reset,
// the worker exits, and the next run gets a new one.
#include "worker/worker_main.hpp"

#include <algorithm>

#include "extension/settings.hpp"
#include "pg/session_user.hpp"
#include "pg/sleeper.hpp"
#include "pg/time.hpp"
#include "shmem/queue/work.hpp"
#include "shmem/shmem.hpp"
#include "worker/limits.hpp"
#include "worker/process.hpp"
#include "worker/queue_service.hpp"
#include "worker/run.hpp"
#include "worker/session.hpp"

namespace metrics_refresh::worker {
namespace {

int own_slot = -1;
std::uint64_t own_generation = 0;

// The queue comes first, so that its place of this slot is free when the slot is.
void on_exit(int, Datum) {
  shmem::queue::detach();
  shmem::detach_worker(own_slot, own_generation, own_end_reason());
}

// A worker that was started before a run is due waits for it at least this long.
constexpr core::Duration kSpareTimeout = std::chrono::seconds(2);

shmem::RunResult result_in(SessionState state, const shmem::Assignment& run) {
  switch (state) {
    case SessionState::kCurrent:
      return carry_out(own_slot, run);
    case SessionState::kOutdated:
      return shmem::RunResult::kOutdated;
    case SessionState::kUnknown:
      break;
  }
  return shmem::RunResult::kNotBegun;
}

void serve() {
  pg::Sleeper sleeper;
  core::Instant idle_since = pg::now();
  bool served = false;
  for (;;) {
    shmem::Assignment run;
    if (shmem::take_assignment(own_slot, run)) {
      if (run.kind == shmem::TaskKind::kQueueService) {
        serve_queue(own_slot, run.owner, sleeper);
        shmem::end_run(own_slot, shmem::RunResult::kSuccess, true);
        continue;
      }
      const SessionState state = session_state();
      const shmem::RunResult result = result_in(state, run);
      // ProcDiePending is set if SIGTERM ended the wait of a commit. Then the worker must exit.
      const bool last = !reset_session() || state != SessionState::kCurrent || ProcDiePending;
      pg::call([] { pgstat_report_activity(STATE_IDLE, nullptr); });
      shmem::end_run(own_slot, result, last);
      idle_since = pg::now();
      served = true;
      continue;
    }
    const core::Duration timeout = settings::worker_idle_timeout();
    const core::Instant leave_at =
        idle_since + (served ? timeout : std::max(timeout, kSpareTimeout));
    const bool leaves = shmem::read_slot(own_slot).leave || pg::now() >= leave_at;
    if (leaves && shmem::leave_idle(own_slot)) return;
    // If leave_idle() fails, the latch is set already, or the scheduler sets it when it collects
    // the last result. So no timeout is needed.
    (void)sleeper.sleep_until(leaves ? std::nullopt : std::optional(leave_at));
  }
}

}  // namespace
}  // namespace metrics_refresh::worker

extern "C" void mr_worker_main(Datum argument) {
  namespace pg = metrics_refresh::pg;
  namespace shmem = metrics_refresh::shmem;
  namespace worker = metrics_refresh::worker;
  pg::boundary([argument] {
    worker::own_slot = DatumGetInt32(argument);
    worker::own_generation = worker::launch_extra();
    worker::install_signals();
    if (!shmem::attach_worker(worker::own_slot, worker::own_generation)) return;
    // Registered before the worker connects, because a failed connection must free the slot too.
    pg::call([] { before_shmem_exit(worker::on_exit, 0); });
    const shmem::WorkerSlot slot = shmem::read_slot(worker::own_slot);
    pg::connect_as(slot.database, slot.session.role, slot.session.assumed);
    worker::set_process_settings();
    worker::retain_memory();
    // The first call stores the state with which later states are compared.
    (void)worker::session_state();
    worker::serve();
  });
}
