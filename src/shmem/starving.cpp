#include "shmem/starving.hpp"

#include "pg/time.hpp"
#include "shmem/area.hpp"

namespace metrics_refresh::shmem {
namespace {

// A scheduler whose runs wait looks at them every second.
constexpr std::int64_t kLasts = 3'000'000;

}  // namespace

// Where it is said of several databases, the one that was first goes on: each is as good.
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
