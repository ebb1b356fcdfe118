#include "worker/worker_main.hpp"

#include "pg/settings.hpp"
#include "pg/sleeper.hpp"
#include "pg/time.hpp"
#include "shmem/area.hpp"
#include "worker/process.hpp"
#include "worker/run.hpp"

namespace metrics_refresh::worker {
namespace {

int own_slot = -1;
std::uint64_t own_generation = 0;

void on_exit(int, Datum) { shmem::detach_worker(own_slot, own_generation); }

// A command's worker has its owner's session, which the command may have changed: it serves one
// run. One that refreshes keeps nothing of a run: core restores the settings that a view's
// functions change, and the advisory locks that they may have taken are released here.
void serve(bool one_run_only) {
  pg::Sleeper sleeper;
  core::Instant idle_since = pg::now();
  for (;;) {
    shmem::Assignment run;
    if (shmem::take_assignment(own_slot, run)) {
      carry_out(own_slot, run);
      pg::call([] {
        LockReleaseAll(USER_LOCKMETHOD, true);
        pgstat_report_activity(STATE_IDLE, nullptr);
      });
      shmem::end_run(own_slot, one_run_only);
      idle_since = pg::now();
      continue;
    }
    const core::Instant leave_at = idle_since + settings::worker_idle_timeout();
    const bool leaves = shmem::asked_to_leave(own_slot) || pg::now() >= leave_at;
    if (leaves && shmem::leave_idle(own_slot)) return;
    // Still kEnded: the scheduler sets the latch once it has taken note.
    sleeper.sleep_until(leaves ? std::nullopt : std::optional(leave_at));
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
    pg::call([] { before_shmem_exit(worker::on_exit, 0); });
    const shmem::WorkerSlot slot = shmem::read_slot(worker::own_slot);
    worker::connect(slot.database, slot.role);
    worker::serve(OidIsValid(slot.role));
  });
}
