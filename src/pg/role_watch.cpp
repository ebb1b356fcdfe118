#include "pg/role_watch.hpp"

#include <utility>

#include "pg/transaction.hpp"

namespace metrics_refresh::pg {
namespace {

bool changed = false;

}  // namespace

void watch_roles() {
  call([] {
    for (const auto cache : {AUTHOID, AUTHMEMMEMROLE})
      CacheRegisterSyscacheCallback(
          cache, [](auto...) { changed = true; }, Datum(0));
  });
}

// The begin of a transaction is where a process that has been idle learns of them.
bool take_role_changes() {
  in_transaction_without_snapshot([] {});
  return std::exchange(changed, false);
}

}  // namespace metrics_refresh::pg
