// A utility statement in two parts: what event triggers hear of it, and the work itself. So the
// triggers fire as the session's user and with its settings, as they do for a client's statement,
// while the work has a fixed search_path and another role's rights.
#pragma once

#include "pg/guard.hpp"

namespace metrics_refresh::pg {

class WatchedStatement {
 public:
  explicit WatchedStatement(Node* statement);
  /// Where the statement has not ended it has failed.
  ~WatchedStatement();
  WatchedStatement(const WatchedStatement&) = delete;
  WatchedStatement& operator=(const WatchedStatement&) = delete;

  /// Fires the event triggers of ddl_command_start.
  void start();
  /// Fires those of sql_drop and ddl_command_end.
  void end();

 private:
  Node* const statement_;
  bool is_watched_ = false;
};

/// Does the work: hooks of other extensions see it, event triggers do not. `text` holds the
/// statement from `location` on, for `length` bytes; 0: to its end. Returns the rows that it
/// processed. REQUIRES: within call().
std::uint64_t run_unwatched(Node* statement, const char* text, int location = 0, int length = 0);

}  // namespace metrics_refresh::pg
