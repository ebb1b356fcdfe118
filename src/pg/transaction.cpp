#include "pg/transaction.hpp"

namespace metrics_refresh::pg::detail {

void begin_transaction_without_snapshot() {
  call([] {
    SetCurrentStatementStartTimestamp();
    StartTransactionCommand();
  });
}

void begin_transaction() {
  begin_transaction_without_snapshot();
  call([] { PushActiveSnapshot(GetTransactionSnapshot()); });
}

void begin_repeatable_read() {
  begin_transaction_without_snapshot();
  XactIsoLevel = XACT_REPEATABLE_READ;
}

void commit_transaction() {
  call([] {
    if (ActiveSnapshotSet()) PopActiveSnapshot();
    CommitTransactionCommand();
    pgstat_report_stat(true);
  });
}

void abort_transaction() {
  call([] {
    HOLD_INTERRUPTS();
    disable_all_timeouts(false);
    QueryCancelPending = false;
    AbortOutOfAnyTransaction();  // a command may have begun a block
    RESUME_INTERRUPTS();
    pgstat_report_stat(true);
  });
}

}  // namespace metrics_refresh::pg::detail
