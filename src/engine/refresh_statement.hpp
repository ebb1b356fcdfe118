// Core's REFRESH of a view, as a statement that event triggers and other extensions' hooks see.
//
// Event triggers are code of the database's administrators and expect the session that the
// statement is run in: they fire as its user and with its search_path, as they do for a client's
// REFRESH. The refresh itself runs with the path that refresh_locked() fixes, so they are fired
// around it and not by the server.
#pragma once

#include "engine/view/view.hpp"
#include "pg/watched_statement.hpp"

namespace metrics_refresh::engine {

class RefreshStatement {
 public:
  /// Fires the event triggers of ddl_command_start. `view` outlives this.
  RefreshStatement(const View& view, bool concurrently);
  /// Where the statement has not ended it has failed.
  ~RefreshStatement();
  RefreshStatement(const RefreshStatement&) = delete;
  RefreshStatement& operator=(const RefreshStatement&) = delete;

  /// Refreshes the view as its owner. Returns the rows that it holds afterwards.
  /// REQUIRES: the session's search_path is fixed.
  std::int64_t run();
  /// The same without CONCURRENTLY, after a run() that failed.
  std::int64_t run_in_full();
  /// Fires the event triggers of ddl_command_end.
  void end();

 private:
  const View& view_;
  const std::string text_;
  RefreshMatViewStmt* statement_;
  pg::WatchedStatement watched_;
  const char* outer_path_ = nullptr;
};

/// The search_path of the session whose refresh is just being done, or null. Core makes and drops a
/// temporary table in a CONCURRENTLY, by statements that fire event triggers too: before 17, with
/// the session's path. From 17 on this is null.
const char* path_of_session() noexcept;

}  // namespace metrics_refresh::engine
