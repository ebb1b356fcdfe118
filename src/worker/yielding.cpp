#include "core/scheduler/yielding.hpp"

#include "worker/yielding.hpp"

#include "extension/settings.hpp"
#include "pg/role.hpp"
#include "pg/time.hpp"
#include "pg/transaction.hpp"
#include "shmem/starving.hpp"
#include "shmem/worker_end.hpp"
#include "shmem/worker_slots.hpp"

namespace metrics_refresh::worker {

void make_room_for_starving() {
  shmem::post_starving(MyDatabaseId);
  // If this database has reached its own limit, the worker of another database would not help.
  const auto own = static_cast<int>(shmem::busy_slots(MyDatabaseId).size());
  const int most = settings::database_workers();
  const std::vector<shmem::SlotView> slots =
      shmem::busy_slots(most > 0 && own >= most ? MyDatabaseId : InvalidOid);
  std::vector<core::RunUnderWay> runs;
  const std::int64_t now = pg::steady_now();
  pg::in_transaction([&] {
    for (const auto& [index, slot] : slots)
      runs.push_back(
          {slot.run.owner, !pg::is_superuser(slot.run.owner),
           slot.cancel_requested || slot.end != shmem::EndReason::kNone,
           core::Duration(slot.started_at_steady != 0 ? now - slot.started_at_steady : 0)});
  });
  const std::optional<std::size_t> chosen = core::choose_yielding(runs, settings::yield_after());
  if (chosen) shmem::have_yield(slots[*chosen]);
}

}  // namespace metrics_refresh::worker
