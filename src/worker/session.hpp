// Resets the session of a worker between two runs. A run may leave settings, prepared statements,
// cursors, cached numbers of sequences, advisory locks, a LISTEN, and temporary objects. All runs
// of a worker belong to the same owner.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::worker {

/// Compares this session with a new session of the owner.
enum class SessionState : std::uint8_t {
  kCurrent,
  // Its superuser attribute at the login, or the settings of the owner at the first call, are
  // others.
  kOutdated,
  kUnknown,  // they cannot be read now
};
SessionState session_state();

/// Restores all settings to the values that they had after the worker connected.
void reset_settings();

/// Resets the whole session. Returns false if a new session is needed: the run changed the user of
/// the session, created temporary objects, or left something that cannot be reset. State of
/// procedural languages and other extensions stays. It belongs to the same role.
bool reset_session();

}  // namespace metrics_refresh::worker
