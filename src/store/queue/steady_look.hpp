// Reads several tables of the queue with one new snapshot. A TRUNCATE takes rows away from every
// snapshot. Such rows have moved or ended, and a newer snapshot finds them where they are.
#pragma once

#include "pg/guard.hpp"
#include "shmem/queue/place.hpp"

namespace metrics_refresh::store::queue {

/// Runs `body(snapshot)`, and again if a table was emptied meanwhile. The snapshot is the active
/// one, and sees this transaction's own rows. It is newer than the snapshot of a transaction that
/// is repeatable read. REQUIRES: require_queue() in this transaction.
template <typename Body>
void look_steadily(Body&& body) {
  for (;;) {
    const std::uint64_t truncations = shmem::queue::truncations();
    const Snapshot snapshot = pg::call([] {
      CommandCounterIncrement();
      PushActiveSnapshot(GetLatestSnapshot());
      return GetActiveSnapshot();
    });
    body(snapshot);
    pg::call([] { PopActiveSnapshot(); });
    if (shmem::queue::truncations() == truncations) return;
  }
}

}  // namespace metrics_refresh::store::queue
