// Runs code of another role with only that role's rights: a query over its table, or a statement
// that defines one of its objects.
#pragma once

#include "pg/identity.hpp"

namespace metrics_refresh::pg {

/// Limits waits for locks to one minute, or to the session's lock_timeout if that is shorter, until
/// the nest level of settings ends. REQUIRES: inside call().
void limit_lock_waits();

/// Runs `body` as `owner`, in a security-restricted operation with a fixed search_path. `body` may
/// call code of the owner. Settings that this code changes are restored. Waits for locks are
/// limited.
template <typename Body>
void as_owner(Oid owner, Body&& body) {
  with_fixed_search_path([&body, owner] {
    call([] { limit_lock_waits(); });
    ActAs scope(owner, SECURITY_RESTRICTED_OPERATION);
    body();
  });
}

/// True if the current user has the rights of `role` and may create objects as that role.
bool can_act_as(Oid role);

}  // namespace metrics_refresh::pg
