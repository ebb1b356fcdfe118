#include "pg/job_transaction.hpp"

#include "pg/time.hpp"
#include "pg/transaction.hpp"

namespace metrics_refresh::pg {
namespace {

constexpr std::int64_t kStatisticsInterval = 1'000'000;
std::int64_t statistics_sent_at = 0;  // by steady_now()

// The value of the setting while a commit has changed it, otherwise -1.
int saved_synchronous_commit = -1;

void restore_synchronous_commit() noexcept {
  if (saved_synchronous_commit >= 0) synchronous_commit = saved_synchronous_commit;
  saved_synchronous_commit = -1;
}

std::int64_t timeout = 0;  // of the transaction, in milliseconds

}  // namespace

void begin_job_transaction() {
  timeout = transaction_timeout_of_clients();
  call([] {
    SetCurrentStatementStartTimestamp();  // now() returns it
    StartTransactionCommand();
    PushActiveSnapshot(GetTransactionSnapshot());
  });
}

std::int64_t job_transaction_timeout() noexcept { return timeout; }

// The variable is changed instead of the setting, because that costs nothing for each job. No code
// of a user sees the value: deferred triggers were fired before.
XLogRecPtr commit_job_transaction(int synchronous) {
  return call([synchronous]() -> XLogRecPtr {
    if (ActiveSnapshotSet()) PopActiveSnapshot();
    XactLastCommitEnd = InvalidXLogRecPtr;
    saved_synchronous_commit = synchronous_commit;
    synchronous_commit = synchronous;
    CommitTransactionCommand();
    restore_synchronous_commit();
    return XactLastCommitEnd;
  });
}

void abort_job_transaction() {
  restore_synchronous_commit();
  abort_any_transaction();
}

void send_statistics(bool now) {
  const std::int64_t time = steady_now();
  if (!now && time < statistics_sent_at + kStatisticsInterval) return;
  statistics_sent_at = time;
  call([] { pgstat_report_stat(true); });
}

void flush_log(XLogRecPtr position) {
  if (position == InvalidXLogRecPtr) return;
  call([position] { XLogFlush(position); });
}

// At the start of a page, the position of the next record is behind the page's header, which is not
// written before that record. To flush to it would be an error. The sizes of the headers, of a
// segment's first page and of others, are those of access/xlog_internal.h.
void flush_log() {
  constexpr XLogRecPtr kLongHeader = 40, kShortHeader = 24;
  call([] {
    XLogRecPtr end = GetXLogInsertRecPtr();
    if (end % static_cast<XLogRecPtr>(wal_segment_size) == kLongHeader)
      end -= kLongHeader;
    else if (end % XLOG_BLCKSZ == kShortHeader)
      end -= kShortHeader;
    XLogFlush(end);
  });
}

}  // namespace metrics_refresh::pg
