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
  /// What the last statement processed that is not transaction control.
  std::uint64_t rows = 0;
};

/// Runs the statements of `sql` and throws their rows away as they come, where they come one by
/// one. Several are done together or not at all, unless they BEGIN and COMMIT transactions of their
/// own. One alone may end transactions by itself, as VACUUM, CREATE INDEX CONCURRENTLY and a CALL
/// with COMMIT do. Where some have ended, the transaction afterwards is another than the one
/// before. Throws SqlError 0A000 for COPY from and to a client, 25001 where a transaction is left
/// open, and PgError for what the server says; its context quotes the statement. REQUIRES: a
/// process of ours, in a transaction without a snapshot; not inside call(). There is an active
/// snapshot afterwards, and the memory context is that of the transaction.
CommandResult run_command(const std::string& sql);

}  // namespace metrics_refresh::pg
