#include "pg/as_owner.hpp"

namespace metrics_refresh::pg {
namespace {

constexpr int kLongestWait = 60 * 1000;  // milliseconds

}  // namespace

void limit_lock_waits() {
  if (LockTimeout > 0 && LockTimeout <= kLongestWait) return;
  (void)set_config_option("lock_timeout", "1min", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true,
                          0, false);
}

bool can_act_as(Oid role) {
  return call([role] {
    if (!has_privs_of_role(GetUserId(), role)) return false;
#if PG_VERSION_NUM >= 160000
    return member_can_set_role(GetUserId(), role);
#else
    return true;
#endif
  });
}

}  // namespace metrics_refresh::pg
