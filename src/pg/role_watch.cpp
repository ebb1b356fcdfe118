#include "pg/role_watch.hpp"

#include <utility>

#include "pg/transaction.hpp"

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

// Invalidations are processed at the beginning of a transaction. An idle process therefore has to
// begin one.
bool take_role_changes() {
  in_transaction_without_snapshot([] {});
  return std::exchange(changed, false);
}

}  // namespace metrics_refresh::pg
