// One block of shared memory: the registry, then the places, each with its Content. A Content is
// made, and its memory touched, at the first use of its place.
#include "shmem/queue/memory.hpp"

#include <algorithm>

#include "extension/settings.hpp"

namespace metrics_refresh::shmem::queue {
namespace {

constexpr char kName[] = "metrics_refresh queues";

Sizes shared_sizes;

std::uint32_t owners_of(const Sizes& sizes) { return sizes.ready.types * 2 + sizes.workers; }

Size content_size(const Sizes& sizes) {
  return MAXALIGN(sizeof(Content)) + Table<TypeEntry>::bytes(sizes.ready.types) +
         Table<OwnerEntry>::bytes(owners_of(sizes)) + Table<RoleEntry>::bytes(kRoles) +
         Array<WorkerEntry>::bytes(sizes.workers) +
         Array<TransactionNumber>::bytes(sizes.transactions) + Table<BatchEntry>::bytes(kBatches) +
         Table<OutsideEntry>::bytes(sizes.ready.outside) + ReadyWork::bytes(sizes.ready);
}

Size place_size(const Sizes& sizes) {
  return add_size(MAXALIGN(sizeof(Place)), MAXALIGN(content_size(sizes)));
}

Size registry_size() { return MAXALIGN(sizeof(Registry)); }

ReadyWork::Sizes scaled(std::uint32_t part, std::uint32_t workers) {
  ReadyWork::Sizes sizes;
  sizes.spans = std::max(part * 6, 1024U);
  sizes.lanes = std::max(part * 3 / 2, 256U);
  sizes.types = std::max(part / 10, 128U);
  sizes.holds = std::max(part * 4 / 5, 1024U);
  sizes.outside = std::max(part * 2, 1024U);
  sizes.workers = workers + kReaders + 1;
  return sizes;
}

// As many of all as fit into the memory, with a lower limit. A part stands for a kB of memory at
// first, and for less if that is too much.
Sizes sizes_by_settings() {
  Sizes sizes = {};
  sizes.workers = static_cast<std::uint32_t>(settings::max_workers());
  sizes.transactions = static_cast<std::uint32_t>(MaxBackends + max_prepared_xacts);
  const auto most = static_cast<std::uint32_t>(settings::queue_memory() / 1024);
  for (std::uint32_t part = most; part >= 64; part -= std::max(part / 32, 1U)) {
    sizes.ready = scaled(part, sizes.workers);
    if (content_size(sizes) <= settings::queue_memory()) break;
  }
  return sizes;
}

}  // namespace

Registry* registry = nullptr;
Place* here = nullptr;
std::uint64_t here_generation = 0;
int own_worker = -1;

const Sizes& sizes() noexcept { return shared_sizes; }

void make_content(Place& place) noexcept {
  Content& made = *new (&content_of(place)) Content;
  std::byte* rest = reinterpret_cast<std::byte*>(&made) + MAXALIGN(sizeof(Content));
  const Sizes& fixed = sizes();
  made.made_at = GetCurrentTimestamp();
  made.types.place(rest, fixed.ready.types);
  made.owners.place(rest, owners_of(fixed));
  made.roles.place(rest, kRoles);
  made.workers.place(rest, fixed.workers);
  made.snapshot.running.place(rest, fixed.transactions);
  made.batches.place(rest, kBatches);
  made.outside.place(rest, fixed.ready.outside);
  made.ready_offset = rest - reinterpret_cast<std::byte*>(&made);
  (void)ReadyWork::make(rest, fixed.ready);
}

Place& place_at(int index) noexcept {
  char* const memory = reinterpret_cast<char*>(registry) + registry_size();
  return *reinterpret_cast<Place*>(memory + static_cast<Size>(index) * place_size(sizes()));
}

Content& content_of(Place& place) noexcept {
  return *reinterpret_cast<Content*>(reinterpret_cast<char*>(&place) + MAXALIGN(sizeof(Place)));
}

Size memory_size() {
  return add_size(registry_size(), mul_size(place_size(sizes_by_settings()),
                                            static_cast<Size>(settings::max_queue_databases())));
}

void init_memory() {
  bool found;
  shared_sizes = sizes_by_settings();
  registry = static_cast<Registry*>(ShmemInitStruct(kName, memory_size(), &found));
  if (found) return;
  LWLockPadded* const locks = GetNamedLWLockTranche(kTranche);
  registry->lock = &locks[0].lock;
  registry->places = settings::max_queue_databases();
  registry->knows_crash = false;
  registry->crashed_count = 0;
  for (int i = 0; i < registry->places; ++i) {
    Place& place = place_at(i);
    place.lock = &locks[i + 1].lock;
    place.database = InvalidOid;
    place.schema = InvalidOid;
    pg_atomic_init_u64(&place.generation, 1);
    pg_atomic_init_u64(&place.truncations, 1);
    pg_atomic_init_u64(&place.double_ends, 0);
    pg_atomic_init_u32(&place.current_segment, kNone);
    pg_atomic_init_u32(&place.current_period, kNone);
    ConditionVariableInit(&place.awaited);
    ConditionVariableInit(&place.outside_work);
  }
}

void Wakes::send() noexcept {
  for (std::uint32_t i = 0; i < count_; ++i) SetLatch(&processes_[i]->procLatch);
  count_ = 0;
  if (here == nullptr) return;
  if (std::exchange(awaited, false)) ConditionVariableBroadcast(&here->awaited);
  if (std::exchange(outside_work, false)) ConditionVariableBroadcast(&here->outside_work);
  if (std::exchange(scheduler, false)) wake_scheduler(MyDatabaseId);
}

}  // namespace metrics_refresh::shmem::queue
