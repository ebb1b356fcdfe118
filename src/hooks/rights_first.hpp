// Checks rights before the server takes a lock.
//
// For some statements the server locks an object before it checks the rights of the caller. A role
// without rights could thus wait for the lock behind an open transaction, and all later sessions
// would wait behind that role. If such a lock conflicts with reading or using an object of the
// extension, the rights are checked here first.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::hooks {

/// Raises the error of the server if `statement` concerns an object of metrics_refresh or
/// metrics_refresh_cron that the current role does not own. Takes no lock on the object.
/// REQUIRES: called by the server, without a frame in between that has a destructor.
void ask_for_rights_first(Node* statement);

}  // namespace metrics_refresh::hooks
