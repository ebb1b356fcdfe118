#include "shmem/starving.hpp"

#include "pg/time.hpp"
#include "shmem/area.hpp"

namespace metrics_refresh::shmem {
namespace {

// In microseconds. A scheduler with waiting runs examines them every second, so it renews the note
// in time.
constexpr std::int64_t kLasts = 3'000'000;

}  // namespace

// If several databases post it, the first one keeps the note until it expires. One note is enough,
// because the other schedulers treat all databases alike.
void post_starving(Oid database) {
  const std::int64_t now = pg::steady_now();
  locked(LW_EXCLUSIVE, [=] {
    Area* const shared = area();
    if (shared->starving_database != database && shared->starving_until > now) return;
    shared->starving_database = database;
    shared->starving_until = now + kLasts;
  });
}

bool starves_elsewhere(Oid database) {
  const std::int64_t now = pg::steady_now();
  return locked(LW_SHARED, [=] {
    const Area* const shared = area();
    return shared->starving_until > now && shared->starving_database != database;
  });
}

}  // namespace metrics_refresh::shmem
