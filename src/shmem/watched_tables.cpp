#include "shmem/watched_tables.hpp"

#include <algorithm>

#include "shmem/change_counters.hpp"

namespace metrics_refresh::shmem {
namespace {

WatchedTables own = {};

}  // namespace

const WatchedTables& watched_tables() noexcept { return own; }

bool is_watched_current() noexcept {
  return pg_atomic_read_u64(&change_counters()->version) == own.version;
}

// Memory for all tables that can be tracked, so that later copies need no allocation. An allocation
// could fail under the lock. The extra element avoids a request for 0 bytes.
void make_room_for_watched() {
  if (own.tables != nullptr) return;
  const auto most = static_cast<Size>(change_counters()->max_tables);
  own.tables =
      static_cast<Watched*>(MemoryContextAllocHuge(TopMemoryContext, sizeof(Watched) * (most + 1)));
}

void copy_watched_locked() noexcept {
  own.version = pg_atomic_read_u64(&change_counters()->version);
  own.count = 0;
  own.has_silent = false;
  for (int i = 0; i < change_counters()->max_tables; ++i) {
    const TrackedTable& table = tracked_tables()[i];
    if (table.database != MyDatabaseId) continue;
    own.tables[own.count++] = {table.relation, i, table.is_silent, false};
    own.has_silent = own.has_silent || table.is_silent;
  }
  // std::sort() moves plain structs in place, so it neither allocates nor throws.
  std::sort(own.tables, own.tables + own.count,
            [](const Watched& a, const Watched& b) { return a.relation < b.relation; });
}

Watched* find_watched(Oid relation) noexcept {
  Watched* const end = own.tables + own.count;
  Watched* const found = std::lower_bound(own.tables, end, relation,
                                          [](const Watched& a, Oid b) { return a.relation < b; });
  return found != end && found->relation == relation ? found : nullptr;
}

}  // namespace metrics_refresh::shmem
