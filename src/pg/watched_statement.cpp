#include "pg/watched_statement.hpp"

namespace metrics_refresh::pg {

WatchedStatement::WatchedStatement(Node* statement) : statement_(statement) {
  is_watched_ = call([] { return EventTriggerBeginCompleteQuery(); });
}

WatchedStatement::~WatchedStatement() {
  // This function does not raise errors, so a destructor may call it.
  if (is_watched_) EventTriggerEndCompleteQuery();
}

void WatchedStatement::start() {
  call([this] { EventTriggerDDLCommandStart(statement_); });
}

void WatchedStatement::end() {
  call([this] {
    EventTriggerSQLDrop(statement_);
    EventTriggerDDLCommandEnd(statement_);
  });
}

std::uint64_t run_unwatched(Node* statement, const char* text, int location, int length) {
  auto* const planned = makeNode(PlannedStmt);
  planned->commandType = CMD_UTILITY;
  planned->canSetTag = true;
  planned->utilityStmt = statement;
  planned->stmt_location = location;
  planned->stmt_len = length;
  QueryCompletion completion;
  InitializeQueryCompletion(&completion);
  // As a subcommand: event triggers are told about the whole statement only.
  ProcessUtility(planned, text, false, PROCESS_UTILITY_SUBCOMMAND, nullptr, nullptr, None_Receiver,
                 &completion);
  return completion.nprocessed;
}

}  // namespace metrics_refresh::pg
