// Runs the SQL of a job.
//
// The loop in run_command() does the steps of the server's exec_simple_query(): parse all
// statements, then analyze, plan and run each in a portal of its own. SPI could not do this: it
// does not allow statements that end transactions or that must not run inside a block. Results are
// discarded, because a worker has no client.
#include "pg/command.hpp"

#include <algorithm>

namespace metrics_refresh::pg {
namespace {

// Limits in bytes, for one line of the log.
constexpr std::size_t kMostTags = 1000;
constexpr int kMostQuoted = 2000;

// The text that the error context quotes.
struct Quoted {
  const char* text;
  int length;
};

void quote_statement(void* argument) {
  const auto* quoted = static_cast<const Quoted*>(argument);
  const int length = pg_mbcliplen(quoted->text, quoted->length, kMostQuoted);
  errcontext("SQL statement \"%.*s%s\"", length, quoted->text,
             length < quoted->length ? "..." : "");
}

// Runs `body` in the server. Errors quote the statement. call() removes the callback.
template <typename Body>
auto call_with_statement_context(Quoted quoted, Body&& body) {
  return call([&] {
    ErrorContextCallback callback = {error_context_stack, quote_statement, &quoted};
    error_context_stack = &callback;
    return body();
  });
}

// This context outlives the transactions that a statement may end. After an error, the abort still
// uses its contents, so the memory is freed by the next command.
MemoryContext command_memory() {
  static MemoryContext const context = call([] {
    return AllocSetContextCreate(TopMemoryContext, "metrics_refresh command",
                                 ALLOCSET_DEFAULT_SIZES);
  });
  call([] { MemoryContextReset(context); });
  return context;
}

Quoted quoted_of(const char* text, const RawStmt* statement) {
  // stmt_location is -1 if unknown, and stmt_len is 0 if the statement extends to the end.
  const char* begin = text + std::max(statement->stmt_location, 0);
  const int length = statement->stmt_len > 0
                         ? statement->stmt_len
                         : static_cast<int>(std::char_traits<char>::length(begin));
  const char* end = begin + length;
  while (begin < end && scanner_isspace(*begin)) ++begin;
  return {begin, static_cast<int>(end - begin)};
}

void reject_client_copy(const Node* statement) {
  if (IsA(statement, CopyStmt) &&
      castNode(CopyStmt, const_cast<Node*>(statement))->filename == nullptr)
    throw SqlError(ERRCODE_FEATURE_NOT_SUPPORTED,
                   "COPY from STDIN and to STDOUT is not possible in a job's command",
                   "A worker has no client.");
}

List* plan(RawStmt* statement, const char* text) {
  const bool needs_snapshot = analyze_requires_snapshot(statement);
  if (needs_snapshot) PushActiveSnapshot(GetTransactionSnapshot());
  List* queries = pg_analyze_and_rewrite_fixedparams(statement, text, nullptr, 0, nullptr);
  List* plans = pg_plan_queries(queries, text, CURSOR_OPT_PARALLEL_OK, nullptr);
  // The snapshot is not held any longer: a statement that ends the transaction must not find one.
  if (needs_snapshot) PopActiveSnapshot();
  // The portal would collect the rows of RETURNING although they are discarded.
  ListCell* cell;
  foreach (cell, plans) lfirst_node(PlannedStmt, cell)->hasReturning = false;
  return plans;
}

QueryCompletion run_statement(RawStmt* statement, const char* text) {
  QueryCompletion completion = {};
  const CommandTag tag = CreateCommandTag(statement->stmt);
  Portal portal = CreatePortal("", true, true);
  portal->visible = false;
  PortalDefineQuery(portal, nullptr, text, tag, plan(statement, text), nullptr);
  // PortalStart() takes a snapshot if the statement needs one.
  PortalStart(portal, nullptr, 0, InvalidSnapshot);
  (void)PortalRun(portal, FETCH_ALL, true,
#if PG_VERSION_NUM < 180000
                  true,
#endif
                  None_Receiver, None_Receiver, &completion);
  PortalDrop(portal, false);
  return completion;
}

// The server's main loop does the same for each statement of a client.
void start_statement_timeout() {
#if PG_VERSION_NUM >= 170000
  const bool is_first = TransactionTimeout == 0 || StatementTimeout < TransactionTimeout;
#else
  const bool is_first = true;
#endif
  if (StatementTimeout > 0 && is_first) enable_timeout_after(STATEMENT_TIMEOUT, StatementTimeout);
}

void stop_statement_timeout() { disable_timeout(STATEMENT_TIMEOUT, false); }

std::string tag_text(const QueryCompletion& completion) {
  std::string text = GetCommandTagName(completion.commandTag);
  if (!command_tag_display_rowcount(completion.commandTag)) return text;
  // psql prints an oid of 0 for INSERT.
  if (completion.commandTag == CMDTAG_INSERT) text += " 0";
  return text + " " + std::to_string(completion.nprocessed);
}

// Collects tags up to a limit. The last tag is always kept, because it shows how far the command
// came.
class Tags {
 public:
  void add(const std::string& tag) {
    if (!last_.empty()) {
      if (tags_.size() + last_.size() < kMostTags && !cut_)
        tags_ += last_ + "; ";
      else if (!cut_) {
        tags_ += "...; ";
        cut_ = true;
      }
    }
    last_ = tag;
  }
  std::string text() const { return tags_ + last_; }

 private:
  std::string tags_;
  std::string last_;
  bool cut_ = false;
};

}  // namespace

CommandResult run_command(const std::string& sql) {
  const char* text = sql.c_str();
  MemoryContext const memory = command_memory();
  MemoryContextSwitchTo(memory);
  List* statements = call_with_statement_context({text, static_cast<int>(sql.size())},
                                                 [text] { return pg_parse_query(text); });
  // Rejected before the first statement runs, so that nothing has to be undone.
  for (int i = 0; i < list_length(statements); ++i)
    reject_client_copy(list_nth_node(RawStmt, statements, i)->stmt);

  const bool alone = list_length(statements) == 1;
  CommandResult result;
  Tags tags;
  for (int i = 0; i < list_length(statements); ++i) {
    RawStmt* statement = list_nth_node(RawStmt, statements, i);
    const QueryCompletion completion = call_with_statement_context(quoted_of(text, statement), [=] {
      CHECK_FOR_INTERRUPTS();
      start_statement_timeout();
      // Has no effect inside a block that the command has begun.
      if (!alone) BeginImplicitTransactionBlock();
      const QueryCompletion done = run_statement(statement, text);
      // An abort stops the timeout as well.
      stop_statement_timeout();
      // COMMIT and ROLLBACK only change the state of the block. CommitTransactionCommand() performs
      // the action.
      if (IsA(statement->stmt, TransactionStmt)) {
        CommitTransactionCommand();
        StartTransactionCommand();
      } else {
        CommandCounterIncrement();
      }
      return done;
    });
    // A statement that ended a transaction has changed the current context.
    MemoryContextSwitchTo(memory);
    tags.add(tag_text(completion));
    if (!IsA(statement->stmt, TransactionStmt)) result.rows = completion.nprocessed;
  }
  result.tags = tags.text();
  if (!alone) call([] { EndImplicitTransactionBlock(); });
  if (IsTransactionBlock())
    throw SqlError(ERRCODE_ACTIVE_SQL_TRANSACTION, "the command leaves a transaction open",
                   "End it with COMMIT. What it had not committed is rolled back.");
  MemoryContextSwitchTo(TopTransactionContext);
  call([] { PushActiveSnapshot(GetTransactionSnapshot()); });
  return result;
}

}  // namespace metrics_refresh::pg
