#include "pg/role_watch.hpp"

#include <utility>

#include "pg/guard.hpp"

namespace metrics_refresh::pg {
namespace {

bool changed = false;

}  // namespace

void watch_roles() {
  call([] {
    // One of these caches is invalidated by every change of a role or of a membership.
    for (const auto cache : {AUTHOID, AUTHMEMMEMROLE})
      CacheRegisterSyscacheCallback(
          cache, [](auto...) { changed = true; }, Datum(0));
  });
}

bool take_role_changes() noexcept { return std::exchange(changed, false); }

}  // namespace metrics_refresh::pg
