// Runs definitions as another role. Event triggers are fired outside of the switch of roles,
// because they must run as the session's user (pg/watched_statement.hpp).
#include "pg/definition_statement.hpp"

#include "pg/as_owner.hpp"
#include "pg/transaction.hpp"
#include "pg/watched_statement.hpp"

namespace metrics_refresh::pg {
namespace {

bool is_definition(Node* statement) {
  return IsA(statement, CreateFunctionStmt) || IsA(statement, ViewStmt) ||
         IsA(statement, RenameStmt) || IsA(statement, GrantStmt);
}

bool replaces(Node* statement) {
  if (IsA(statement, CreateFunctionStmt))
    return reinterpret_cast<CreateFunctionStmt*>(statement)->replace;
  return IsA(statement, ViewStmt) && reinterpret_cast<ViewStmt*>(statement)->replace;
}

RawStmt* parse(const char* text) {
  const List* statements = call([text] { return pg_parse_query(text); });
  if (list_length(statements) != 1) return nullptr;
  return linitial_node(RawStmt, statements);
}

RawStmt* parse(const char* text, bool (*is_wanted)(Node*), const char* wanted) {
  RawStmt* const raw = parse(text);
  if (raw != nullptr && is_wanted(raw->stmt)) return raw;
  throw SqlError(ERRCODE_FEATURE_NOT_SUPPORTED, std::string("the statement must be ") + wanted,
                 "One statement, and nothing else.");
}

void execute(const char* text, RawStmt* raw, Oid role, bool reads_bodies) {
  as_owner(role, [=] {
    call([=] {
      // Restoring a definition must also work if a function that its body calls does not exist any
      // more.
      if (!reads_bodies)
        (void)set_config_option("check_function_bodies", "off", PGC_USERSET, PGC_S_SESSION,
                                GUC_ACTION_SAVE, true, 0, false);
      PushActiveSnapshot(GetTransactionSnapshot());
      (void)run_unwatched(raw->stmt, text, raw->stmt_location, raw->stmt_len);
      PopActiveSnapshot();
      CommandCounterIncrement();
    });
  });
}

void run(const char* text, RawStmt* raw, Oid role, bool reads_bodies) {
  WatchedStatement watched(raw->stmt);
  watched.start();
  execute(text, raw, role, reads_bodies);
  watched.end();
}

}  // namespace

void run_definition(const std::string& statement, Oid role) {
  const char* const text = statement.c_str();
  run(text, parse(text, is_definition, "a definition"), role, true);
}

void restore_definition(const std::string& statement, Oid role) {
  const char* const text = statement.c_str();
  run(text, parse(text, replaces, "CREATE OR REPLACE FUNCTION or CREATE OR REPLACE VIEW"), role,
      false);
}

std::string reason_against_definitions(const std::vector<std::string>& statements, Oid role) {
  std::string reason;
  in_discarded_subtransaction([&] {
    for (const std::string& statement : statements) {
      const char* const text = statement.c_str();
      const auto error = in_subtransaction(
          // Runs the statements for real and rolls them back: there is no other way to learn their
          // errors.
          [&] { execute(text, parse(text, replaces, "CREATE OR REPLACE"), role, false); });
      if (!error) continue;
      reason = error->what();
      return;
    }
  });
  return reason;
}

}  // namespace metrics_refresh::pg
