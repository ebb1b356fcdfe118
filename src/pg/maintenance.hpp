// Servers in maintenance: those that pg_upgrade runs for the old and the new cluster, and
// single-user mode, which initdb, pg_rewind and manual repairs use.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::pg {

/// True in a server that pg_upgrade runs. Transaction ids used there are assigned again in the new
/// cluster.
inline bool is_run_by_pg_upgrade() noexcept { return IsBinaryUpgrade; }

/// True in single-user mode.
inline bool is_single_user() noexcept { return !IsPostmasterEnvironment; }

/// True if only actions that a user asks for may be performed: nothing may be started, counted,
/// captured or written otherwise.
inline bool is_maintenance_mode() noexcept { return is_run_by_pg_upgrade() || is_single_user(); }

}  // namespace metrics_refresh::pg
