// Core's REFRESH of a view, as a statement that is visible to event triggers and to hooks of other
// extensions.
//
// Event triggers are code of administrators and expect the session in which the statement runs.
// They fire as the user of the session and with its search_path, as for a REFRESH by a client. But
// the refresh itself runs with the path that refresh_locked() fixes. So this class fires the
// triggers before and after it, and the server does not.
#pragma once

#include "engine/view/view.hpp"
#include "pg/watched_statement.hpp"

namespace metrics_refresh::engine {

class RefreshStatement {
 public:
  /// Fires the event triggers for ddl_command_start. `view` must outlive this object.
  RefreshStatement(const View& view, bool concurrently);
  /// If end() was not called, the statement has failed.
  ~RefreshStatement();
  RefreshStatement(const RefreshStatement&) = delete;
  RefreshStatement& operator=(const RefreshStatement&) = delete;

  /// Refreshes the view as its owner. Returns the number of rows in the view afterwards. REQUIRES:
  /// the search_path of the session is fixed.
  std::int64_t run();
  /// The same without CONCURRENTLY, after run() has failed.
  std::int64_t run_in_full();
  /// Fires the event triggers for ddl_command_end.
  void end();

 private:
  const View& view_;
  const std::string text_;
  RefreshMatViewStmt* statement_;
  pg::WatchedStatement watched_;
  const char* outer_path_ = nullptr;
};

/// The search_path of the session while it performs a refresh, or null. In a CONCURRENTLY, core
/// creates and drops a temporary table by statements that fire event triggers as well. Before
/// PostgreSQL 17 they fire with the path of the session. From 17 on this is null.
const char* path_of_session() noexcept;

}  // namespace metrics_refresh::engine
