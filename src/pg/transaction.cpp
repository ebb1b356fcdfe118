// The steps of the server's main loop that begin, commit and abort transactions in a background
// process. The scopes in the header combine them.
#include "pg/transaction.hpp"

namespace metrics_refresh::pg::detail {

void begin_transaction_without_snapshot() {
  call([] {
    // now() returns this time. In a client's session the server sets it for each statement.
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
    // The statistics are sent now, because the process may be idle for a long time.
    pgstat_report_stat(true);
  });
}

void abort_transaction() {
  abort_any_transaction();
  call([] { pgstat_report_stat(true); });
}

}  // namespace metrics_refresh::pg::detail

namespace metrics_refresh::pg {

void abort_any_transaction() {
  call([] {
    // A cancellation that arrives during the abort must not interrupt it.
    HOLD_INTERRUPTS();
    disable_all_timeouts(false);
    QueryCancelPending = false;
    AbortOutOfAnyTransaction();
    PortalErrorCleanup();
    jit_reset_after_error();
    RESUME_INTERRUPTS();
  });
  release_replication_slots();
}

void release_replication_slots() {
  call([] {
    if (MyReplicationSlot != nullptr) ReplicationSlotRelease();
#if PG_VERSION_NUM >= 170000
    ReplicationSlotCleanup(false);
#else
    ReplicationSlotCleanup();
#endif
  });
}

// GUC_ACTION_LOCAL: the setting ends with the transaction.
void commit_without_standby() {
  call([] {
    if (synchronous_commit <= SYNCHRONOUS_COMMIT_LOCAL_FLUSH) return;
    (void)set_config_option("synchronous_commit", "local", PGC_USERSET, PGC_S_SESSION,
                            GUC_ACTION_LOCAL, true, 0, false);
  });
}

#if PG_VERSION_NUM >= 170000
void stop_transaction_timeout() {
  call([] {
    (void)set_config_option("transaction_timeout", "0", PGC_USERSET, PGC_S_SESSION,
                            GUC_ACTION_LOCAL, true, 0, false);
  });
}

std::int64_t transaction_timeout_of_clients() {
  return call([]() -> std::int64_t {
    return strtol(GetConfigOptionResetString("transaction_timeout"), nullptr, 10);
  });
}

bool has_transaction_timed_out() noexcept {
  return get_timeout_indicator(TRANSACTION_TIMEOUT, false);
}
#else
void stop_transaction_timeout() {}

std::int64_t transaction_timeout_of_clients() { return 0; }

bool has_transaction_timed_out() noexcept { return false; }
#endif

void commit_and_begin() {
  call([] {
    if (ActiveSnapshotSet()) PopActiveSnapshot();
    CommitTransactionCommand();
    StartTransactionCommand();
    // StartTransactionCommand() has set these from the session's defaults.
    XactIsoLevel = XACT_READ_COMMITTED;
    XactReadOnly = false;
    XactDeferrable = false;
    PushActiveSnapshot(GetTransactionSnapshot());
  });
}

}  // namespace metrics_refresh::pg
