// What one run may leave in a worker's session, and the next must not find: settings, prepared
// statements, cursors, cached numbers of sequences, advisory locks, a LISTEN, temporary objects.
// The next one is the same owner's: no worker serves two.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::worker {

/// Whether this session is what a new one of the owner's would be.
enum class SessionState : std::uint8_t {
  kCurrent,
  kOutdated,  // it began as a superuser's, or not, or had other settings when this was asked first
  kUnknown,   // that cannot be read now
};
SessionState session_state();

/// Puts all settings back to where they were when the worker had connected.
void reset_settings();

/// Puts the session back to that. False where that takes a new one: the run changed who the session
/// is, made temporary objects, or left something that cannot be taken back. (What a procedural
/// language or another extension keeps for the session stays; it is the same role's.)
bool reset_session();

}  // namespace metrics_refresh::worker
