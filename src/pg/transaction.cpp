#include "pg/transaction.hpp"

namespace metrics_refresh::pg::detail {

void begin_transaction() {
  call([] {
    SetCurrentStatementStartTimestamp();
    StartTransactionCommand();
    PushActiveSnapshot(GetTransactionSnapshot());
  });
}

void begin_repeatable_read() {
  call([] {
    SetCurrentStatementStartTimestamp();
    StartTransactionCommand();
    XactIsoLevel = XACT_REPEATABLE_READ;
  });
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
    AbortCurrentTransaction();
    RESUME_INTERRUPTS();
    pgstat_report_stat(true);
  });
}

}  // namespace metrics_refresh::pg::detail
