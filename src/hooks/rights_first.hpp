// The server takes some locks before it asks for the caller's rights. A stranger could wait for
// such a lock in an open transaction's way, and everybody behind the stranger. Where the lock is
// one that shuts out those who only read or use what is ours, the rights are asked for here, first.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::hooks {

/// Raises the server's own error where `statement` is about an object of the extension's, or of
/// metrics_refresh_cron's, that the current role does not own. Takes no lock on it.
/// REQUIRES: called by the server, no frame in between with a destructor.
void ask_for_rights_first(Node* statement);

}  // namespace metrics_refresh::hooks
