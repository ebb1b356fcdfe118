// Watches the DDL that concerns the processes of the extension. DROP EXTENSION ends them in its
// database. CREATE DATABASE may copy the extension from its template. Some commands need a database
// without connections: DROP, RENAME and SET TABLESPACE, and CREATE DATABASE for its template. They
// must not fail because of processes of the extension, so these are terminated first.
#pragma once

namespace metrics_refresh::hooks {

/// REQUIRES: called once, from _PG_init.
void watch_ddl();

}  // namespace metrics_refresh::hooks
