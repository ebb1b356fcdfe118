// Sees the DDL that concerns our processes: DROP EXTENSION, which ends them in its database; CREATE
// DATABASE, whose template may bring the extension along; ALTER and DROP DATABASE.
#pragma once

namespace metrics_refresh::worker {

/// REQUIRES: called once, from _PG_init.
void watch_ddl();

}  // namespace metrics_refresh::worker
