// Code of somebody's, called with his rights and no more: what a query over his table runs, or a
// statement that defines something of his.
#pragma once

#include "pg/identity.hpp"

namespace metrics_refresh::pg {

/// Until the settings' nest level ends, a wait for a lock ends after a minute, or earlier by the
/// session's lock_timeout. REQUIRES: within call().
void limit_lock_waits();

/// Runs `body` as `owner`, whose code it may call, in a security-restricted operation with a fixed
/// search_path. The settings that the code leaves are taken back. Waits for locks are limited.
template <typename Body>
void as_owner(Oid owner, Body&& body) {
  with_fixed_search_path([&body, owner] {
    call([] { limit_lock_waits(); });
    ActAs scope(owner, SECURITY_RESTRICTED_OPERATION);
    body();
  });
}

/// True if the current user has the rights of `role` and may own what is made as that role.
bool can_act_as(Oid role);

}  // namespace metrics_refresh::pg
