// Sees the DDL that concerns our processes. DROP EXTENSION ends them in its database. CREATE
// DATABASE may bring the extension along from its template. And what needs a database without
// connections (DROP, RENAME, SET TABLESPACE, serving as a template) must not fail because of ours:
// they are asked to leave first.
#pragma once

namespace metrics_refresh::hooks {

/// REQUIRES: called once, from _PG_init.
void watch_ddl();

}  // namespace metrics_refresh::hooks
