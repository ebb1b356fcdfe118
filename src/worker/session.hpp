// What one run may leave in a worker's session, and the next must not find: settings, prepared
// statements, cursors, cached numbers of sequences, advisory locks, a LISTEN.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::worker {

/// Puts all settings back to where connect() left them.
void reset_settings();

/// Puts the session back to where connect() left it. False where that takes a new one: the run
/// changed who the session is, or made temporary tables. (What a procedural language or another
/// extension keeps for the session stays; it is the same role's.)
bool reset_session();

}  // namespace metrics_refresh::worker
