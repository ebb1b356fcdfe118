// The seam between the triggers that capture keys and the change tracker.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::shmem {

/// A trigger has captured what this statement changed in the table. The change tracker will compare
/// that with what it sees of the table at commit: a change without this was made past the triggers.
inline void note_captured(Oid) {}

}  // namespace metrics_refresh::shmem
