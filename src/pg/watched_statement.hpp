// A utility statement in two parts: the notification of event triggers, and the work. Event
// triggers thus run as the session's user and with its settings, as they do for a statement of a
// client. The work has a fixed search_path and the rights of another role.
#pragma once

#include "pg/guard.hpp"

namespace metrics_refresh::pg {

class WatchedStatement {
 public:
  explicit WatchedStatement(Node* statement);
  /// If end() was not called, the statement has failed.
  ~WatchedStatement();
  WatchedStatement(const WatchedStatement&) = delete;
  WatchedStatement& operator=(const WatchedStatement&) = delete;

  /// Fires the event triggers for ddl_command_start.
  void start();
  /// Fires the event triggers for sql_drop and ddl_command_end.
  void end();

 private:
  Node* const statement_;
  bool is_watched_ = false;
};

/// Performs the work. Hooks of other extensions see it, but event triggers do not. `text` contains
/// the statement from `location` on, with `length` bytes, or to the end if that is 0. Returns the
/// number of processed rows. REQUIRES: inside call().
std::uint64_t run_unwatched(Node* statement, const char* text, int location = 0, int length = 0);

}  // namespace metrics_refresh::pg
