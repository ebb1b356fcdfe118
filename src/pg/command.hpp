// Somebody's SQL, run as psql would have it run: not from within a function, so that it may do what
// a client may.
#pragma once

#include <string>

#include "pg/guard.hpp"

namespace metrics_refresh::pg {

struct CommandResult {
  /// The statements' command tags as psql prints them, with "; " between; the first of them and
  /// the last where they are too many for a line of the log.
  std::string tags;
  /// What the last statement processed.
  std::uint64_t rows = 0;
};

/// Runs the statements of `sql` and throws their rows away as they come. Several are done together
/// or not at all. One alone may end transactions by itself, as VACUUM, CREATE INDEX CONCURRENTLY
/// and a CALL with COMMIT do: then the transaction afterwards is another than the one before.
/// Throws SqlError 0A000 for transaction control and for COPY from and to a client, PgError for
/// what the server says; its context quotes the statement. REQUIRES: a process of ours, in a
/// transaction; not inside call(). The active snapshot is a new one afterwards, and the memory
/// context that of the transaction.
CommandResult run_command(const std::string& sql);

}  // namespace metrics_refresh::pg
