// Servers that are not there to serve: those that pg_upgrade runs over the old cluster and the new
// one, and single-user mode, in which initdb, pg_rewind and repairs by hand work.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::pg {

/// True in a server that pg_upgrade runs. Numbers of transactions that are used there are given out
/// again in the new cluster.
inline bool is_run_by_pg_upgrade() noexcept { return IsBinaryUpgrade; }

/// True in single-user mode.
inline bool is_single_user() noexcept { return !IsPostmasterEnvironment; }

/// True where nothing may be started, counted, captured or written but what somebody asks for.
inline bool is_upkeep() noexcept { return is_run_by_pg_upgrade() || is_single_user(); }

}  // namespace metrics_refresh::pg
