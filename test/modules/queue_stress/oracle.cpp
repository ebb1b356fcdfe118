#include "oracle.hpp"

#include "shmem/queue/memory.hpp"
#include "shmem/queue/prepared_posts.hpp"

namespace stress {

Oracle* oracle = nullptr;

namespace {

shmem_request_hook_type next_request_hook = nullptr;
shmem_startup_hook_type next_startup_hook = nullptr;

void on_request() {
  if (next_request_hook != nullptr) next_request_hook();
  RequestAddinShmemSpace(sizeof(Oracle));
}

// The extension has made the memory of the queues before.
void on_startup() {
  if (next_startup_hook != nullptr) next_startup_hook();
  LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
  bool found;
  queue::init_memory();
  queue::init_prepared_posts(nullptr);
  oracle = static_cast<Oracle*>(ShmemInitStruct("queue_stress", sizeof(Oracle), &found));
  if (!found) memset(static_cast<void*>(oracle), 0, sizeof(Oracle));
  LWLockRelease(AddinShmemInitLock);
}

void leave(std::uint32_t word) {
  --oracle->running_of_type[type_of(word)];
  --oracle->running_of_key[type_of(word)][key_of(word)];
}

}  // namespace

queue::Jobs job_of(JobNumber job, std::uint32_t word) {
  queue::Jobs made;
  made.type = type_of(word);
  made.key = key_of(word);
  made.priority = static_cast<std::int16_t>(job % 3);
  made.segment = segment_of(word);
  made.first = made.last = job;
  return made;
}

bool starts(JobNumber job, std::uint8_t segment) {
  const std::uint32_t before = oracle->jobs[job].fetch_or(kRunning);
  if ((before & kRunning) != 0) {
    ++oracle->doubles;
    return false;
  }
  if ((before & kPosted) == 0) ++oracle->repeated;
  if ((before & kDone) != 0 || segment_of(before) != segment) {
    oracle->jobs[job].fetch_and(~kRunning);
    ++oracle->wrong_hints;
    return false;
  }
  ++oracle->starts;
  if (++oracle->running_of_type[type_of(before)] > 2 && type_of(before) == 2)
    ++oracle->beyond_limits;
  // Jobs without a key have no limit of a key.
  if (++oracle->running_of_key[type_of(before)][key_of(before)] > 1 && type_of(before) == 3 &&
      key_of(before) != 0)
    ++oracle->beyond_limits;
  return true;
}

void finishes(JobNumber job) {
  const std::uint32_t before = oracle->jobs[job].fetch_or(kDone);
  if ((before & kDone) != 0) ++oracle->repeated;
  ++oracle->done;
  stops(job);
}

void stops(JobNumber job) {
  leave(oracle->jobs[job]);
  oracle->jobs[job].fetch_and(~kRunning);
}

void moves(JobNumber job) {
  const std::uint32_t word = oracle->jobs[job];
  const auto segment = static_cast<std::uint8_t>((segment_of(word) + 1) % queue::kSegments);
  oracle->jobs[job] = word_of(type_of(word), key_of(word), segment) | (word & (kRunning | kDone));
  queue::Posts posts;
  const queue::Jobs again = job_of(job, oracle->jobs[job]);
  posts.jobs = &again;
  posts.job_count = 1;
  posts.segments[segment] = 1;
  queue::post(posts);
}

}  // namespace stress

// The parts of the extension that the code of the queue calls, as the stress needs them.
namespace metrics_refresh {

namespace settings {
namespace {

int number(const char* name) { return atoi(GetConfigOption(name, false, false)); }

}  // namespace

int max_workers() { return number("metrics_refresh.max_workers"); }
int max_queue_databases() { return number("metrics_refresh.max_queue_databases"); }
std::size_t queue_memory() {
  return std::size_t{1024} * static_cast<unsigned>(number("metrics_refresh.queue_memory"));
}
bool enabled() { return true; }

}  // namespace settings

namespace shmem {

bool is_preloaded() noexcept { return stress::oracle != nullptr; }
void require_preloaded() {}
void wake_scheduler(Oid) noexcept {
  if (PGPROC* const process = stress::oracle->scheduler) SetLatch(&process->procLatch);
}

}  // namespace shmem
}  // namespace metrics_refresh

extern "C" {

const Pg_magic_struct* Pg_magic_func(void);
PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);
void _PG_init(void) {
  stress::next_request_hook = shmem_request_hook;
  shmem_request_hook = stress::on_request;
  stress::next_startup_hook = shmem_startup_hook;
  shmem_startup_hook = stress::on_startup;
}
}
