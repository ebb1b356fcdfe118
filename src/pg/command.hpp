// Runs the SQL text of a user in the same way as psql would, not from within a function. Thus it
// may contain any statement that a client may send.
#pragma once

#include <string>

#include "pg/guard.hpp"

namespace metrics_refresh::pg {

struct CommandResult {
  /// The command tags of the statements as psql prints them, separated by "; ". If they are too
  /// long for a line of the log, the first ones and the last.
  std::string tags;
  /// Number of rows processed by the last statement that is not transaction control.
  std::uint64_t rows = 0;
};

/// Runs the statements of `sql` and discards their rows as they are produced, if the plan produces
/// them one by one. Several statements form one transaction, unless they contain BEGIN and COMMIT.
/// A single statement may end transactions itself, like VACUUM, CREATE INDEX CONCURRENTLY, or CALL
/// of a procedure with COMMIT. In these cases the transaction afterwards is not the one before.
/// Throws SqlError 0A000 for COPY from or to a client, and 25001 if a transaction is left open.
/// Throws PgError for errors of the server, whose context quotes the statement. REQUIRES: a process
/// of this extension, in a transaction without a snapshot, and not inside call(). Afterwards there
/// is an active snapshot, and the memory context is that of the transaction.
CommandResult run_command(const std::string& sql);

}  // namespace metrics_refresh::pg
