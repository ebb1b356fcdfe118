#include "engine/refresh_statement.hpp"

#include "engine/view/owner_settings.hpp"
#include "pg/compat.hpp"
#include "pg/identity.hpp"

namespace metrics_refresh::engine {
namespace {

RefreshMatViewStmt* make_statement(const View& view, bool concurrently) {
  const char* const schema = view.schema.c_str();
  const char* const name = view.name.c_str();
  return pg::call([=] {
    auto* const statement = makeNode(RefreshMatViewStmt);
    statement->concurrent = concurrently;
    statement->relation = makeRangeVar(pstrdup(schema), pstrdup(name), -1);
    return statement;
  });
}

std::string text_of(const View& view, bool concurrently) {
  return "REFRESH MATERIALIZED VIEW " + std::string(concurrently ? "CONCURRENTLY " : "") +
         qualified_name(view.schema, view.name);
}

// The path is a global variable, because an event trigger that fires inside core's REFRESH has no
// other way to get it.
const char* session_path = nullptr;

}  // namespace

const char* path_of_session() noexcept { return session_path; }

RefreshStatement::RefreshStatement(const View& view, bool concurrently)
    : view_(view),
      text_(text_of(view, concurrently)),
      statement_(make_statement(view, concurrently)),
      watched_(reinterpret_cast<Node*>(statement_)) {
  with_settings_of_session([this] { watched_.start(); });
  // Code that gets this path gets no more rights, because the session has the rights of the owner
  // here. The outer path is saved, because a trigger may refresh another view meanwhile.
  outer_path_ = session_path;
  if (!pg::kRefreshFixesPath)
    session_path = pg::call([] { return pstrdup(namespace_search_path); });
}

RefreshStatement::~RefreshStatement() { session_path = outer_path_; }

std::int64_t RefreshStatement::run() {
  const char* const query = text_.c_str();
  Node* const statement = reinterpret_cast<Node*>(statement_);
  // Core itself restricts the security context before it runs code of the view. If it were
  // restricted already here, the temporary table of CONCURRENTLY could not be created.
  pg::ActAs owner(view_.owner);
  return pg::call([=] { return static_cast<std::int64_t>(pg::run_unwatched(statement, query)); });
}

std::int64_t RefreshStatement::run_in_full() {
  statement_->concurrent = false;
  return run();
}

void RefreshStatement::end() {
  with_settings_of_session([this] { watched_.end(); });
}

}  // namespace metrics_refresh::engine
