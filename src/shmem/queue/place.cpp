// A place belongs to a database, and to the schema of the extension's tables in it: after DROP and
// CREATE EXTENSION the schema has another OID. Each change of either makes the place anew and gives
// it a new generation, which all functions of this folder compare with the one that they have
// found. A schema that is not committed yet has no place (hidden_place.hpp).
#include "shmem/queue/place.hpp"

#include <algorithm>

#include "extension/own_schema.hpp"
#include "extension/settings.hpp"
#include "shmem/queue/hidden_place.hpp"
#include "shmem/queue/prepared_posts.hpp"
#include "shmem/queue/steps.hpp"

namespace metrics_refresh::shmem::queue {
namespace {

shmem_request_hook_type next_request_hook = nullptr;
shmem_startup_hook_type next_startup_hook = nullptr;

void on_request() {
  if (next_request_hook != nullptr) next_request_hook();
  RequestAddinShmemSpace(add_size(memory_size(), prepared_posts_size()));
  RequestNamedLWLockTranche(kTranche, settings::max_queue_databases() + 2);
}

void on_startup() {
  if (next_startup_hook != nullptr) next_startup_hook();
  LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
  init_memory();
  init_prepared_posts(&GetNamedLWLockTranche(kTranche)[settings::max_queue_databases() + 1].lock);
  LWLockRelease(AddinShmemInitLock);
}

// REQUIRES: the lock of the registry is held.
void give_to(Place& place, Oid database, Oid schema) noexcept {
  LWLockAcquire(place.lock, LW_EXCLUSIVE);
  place.database = database;
  place.schema = schema;
  pg_atomic_fetch_add_u64(&place.generation, 1);
  pg_atomic_fetch_add_u64(&place.truncations, 1);
  pg_atomic_write_u64(&place.double_ends, 0);
  pg_atomic_write_u32(&place.current_segment, kNone);
  pg_atomic_write_u32(&place.current_period, kNone);
  if (OidIsValid(database)) make_content(place);
  LWLockRelease(place.lock);
  // No process sleeps for a queue that is gone.
  ConditionVariableBroadcast(&place.awaited);
  ConditionVariableBroadcast(&place.outside_work);
}

Place* place_of(Oid database) noexcept {
  for (int i = 0; i < registry->places; ++i)
    if (place_at(i).database == database) return &place_at(i);
  return nullptr;
}

// A place of another schema is made anew, and with `may_make` a free one is taken.
bool search(Oid schema, bool may_make) noexcept {
  LWLockAcquire(registry->lock, LW_EXCLUSIVE);
  Place* place = place_of(MyDatabaseId);
  if (place == nullptr && may_make) place = place_of(InvalidOid);
  const bool make = place != nullptr && place->schema != schema;
  if (make) give_to(*place, MyDatabaseId, schema);
  if (here != place || !is_current()) own_worker = -1;
  here = place;
  if (place != nullptr) here_generation = pg_atomic_read_u64(&place->generation);
  LWLockRelease(registry->lock);
  if (make) wake_scheduler(MyDatabaseId);
  return place != nullptr;
}

bool has_place_of_another(Oid schema) noexcept {
  LWLockAcquire(registry->lock, LW_SHARED);
  const Place* const place = place_of(MyDatabaseId);
  const bool is_of_another = place != nullptr && place->schema != schema;
  LWLockRelease(registry->lock);
  return is_of_another;
}

bool is_known(Oid schema) noexcept { return is_current() && here->schema == schema; }

enum class Finding { kNone, kFound, kHidden };

// REQUIRES: inside pg::call().
Finding find(Oid schema, bool may_make) {
  if (is_known(schema)) return Finding::kFound;
  if (hides_place_for(schema)) return Finding::kHidden;
  if (has_place_of_another(schema) && is_made_here(schema)) {
    hide_place(schema);
    return Finding::kHidden;
  }
  return search(schema, may_make) ? Finding::kFound : Finding::kNone;
}

Oid own_schema() {
  return pg::call([] { return get_namespace_oid(extension::kInternalSchema, true); });
}

}  // namespace

void request() {
  next_request_hook = shmem_request_hook;
  shmem_request_hook = on_request;
  next_startup_hook = shmem_startup_hook;
  shmem_startup_hook = on_startup;
}

void require_queue() {
  require_preloaded();
  const Oid schema = own_schema();
  if (!OidIsValid(schema))
    throw pg::SqlError(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                       "extension \"metrics_refresh\" does not exist in this database",
                       "Run CREATE EXTENSION metrics_refresh.");
  if (is_known(schema)) return;
  if (pg::call([schema] { return find(schema, true); }) == Finding::kNone)
    throw pg::SqlError(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, "too many databases have a job queue",
                       "Raise metrics_refresh.max_queue_databases and restart the server.");
}

bool find_queue() {
  if (!is_preloaded()) return false;
  const Oid schema = own_schema();
  if (!OidIsValid(schema)) return false;
  return is_known(schema) || pg::call([schema] { return find(schema, false); }) == Finding::kFound;
}

bool is_still_found() noexcept { return is_current(); }

bool find_queue_inside() {
  if (!is_preloaded()) return false;
  const Oid schema = get_namespace_oid(extension::kInternalSchema, true);
  return OidIsValid(schema) && find(schema, false) == Finding::kFound;
}

void renew(Oid schema) noexcept { (void)search(schema, false); }

void forget(Oid database) noexcept {
  if (registry == nullptr) return;
  LWLockAcquire(registry->lock, LW_EXCLUSIVE);
  if (Place* const place = place_of(database)) give_to(*place, InvalidOid, InvalidOid);
  LWLockRelease(registry->lock);
}

State state() noexcept {
  return locked(LW_SHARED, [](Content& content) { return content.state; });
}

void begin_recovery() noexcept {
  locked(LW_EXCLUSIVE, [](Content& content) {
    content.state = State::kRecovering;
    content.news.is_new = false;
    content.ready().abandon_rereads();
  });
}

void open() noexcept {
  locked(LW_EXCLUSIVE, [](Content& content) { content.state = State::kOpen; });
  offer_any_work_to_all();
}

namespace {

Numbers take_locked(Content& content, std::uint32_t count) noexcept {
  const JobNumber first = content.next_number;
  const JobNumber last = std::min<JobNumber>(first + count, content.end_of_numbers);
  content.next_number = last;
  return {first, static_cast<std::uint32_t>(last - first)};
}

}  // namespace

Numbers take_numbers(std::uint32_t count) noexcept {
  return locked(LW_EXCLUSIVE, [count](Content& content) { return take_locked(content, count); });
}

// Another session may have added a block meanwhile. If this one does not follow it, the rest of
// this one is lost.
Numbers add_block(JobNumber first, std::uint32_t count) noexcept {
  const Numbers own = {first, std::min(count, kBlock)};
  const Numbers shared = locked(LW_EXCLUSIVE, [&own, count](Content& content) -> Numbers {
    if (content.next_number == content.end_of_numbers)
      content.next_number = own.first;
    else if (content.end_of_numbers != own.first)
      return {};
    content.end_of_numbers = own.first + kBlock;
    return take_locked(content, count);
  });
  return shared.count > 0 ? shared : own;
}

namespace {

int read_child(pg_atomic_uint32 Place::*child) noexcept {
  if (!is_current()) return -1;
  const std::uint32_t number = pg_atomic_read_u32(&(here->*child));
  return number == kNone ? -1 : static_cast<int>(number);
}

int offer_child(pg_atomic_uint32 Place::*child, int number) noexcept {
  if (!is_current()) return number;
  std::uint32_t expected = kNone;
  if (pg_atomic_compare_exchange_u32(&(here->*child), &expected,
                                     static_cast<std::uint32_t>(number)))
    return number;
  return static_cast<int>(expected);
}

void set_child(pg_atomic_uint32 Place::*child, int number) noexcept {
  if (is_current()) pg_atomic_write_u32(&(here->*child), static_cast<std::uint32_t>(number));
}

}  // namespace

int current_segment() noexcept { return read_child(&Place::current_segment); }

int offer_current_segment(int segment) noexcept {
  return offer_child(&Place::current_segment, segment);
}

void set_current_segment(int segment) noexcept { set_child(&Place::current_segment, segment); }

int current_period() noexcept { return read_child(&Place::current_period); }

int offer_current_period(int period) noexcept {
  return offer_child(&Place::current_period, period);
}

void set_current_period(int period) noexcept { set_child(&Place::current_period, period); }

std::uint64_t truncations() noexcept {
  return is_current() ? pg_atomic_read_u64(&here->truncations) : 0;
}

void count_truncation() noexcept {
  if (is_current()) pg_atomic_fetch_add_u64(&here->truncations, 1);
}

std::uint64_t double_ends() noexcept {
  return is_current() ? pg_atomic_read_u64(&here->double_ends) : 0;
}

void count_double_end() noexcept {
  if (is_current()) pg_atomic_fetch_add_u64(&here->double_ends, 1);
}

}  // namespace metrics_refresh::shmem::queue
