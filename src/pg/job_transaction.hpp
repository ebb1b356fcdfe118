// The transactions of a process that performs many short jobs. They differ from the scopes of
// transaction.hpp in two ways: statistics are sent about once a second instead of at each commit,
// and a commit may be synchronous or not, whatever the session's settings say.
//
// REQUIRES for all functions: a process of this extension. After an exception between begin and
// commit, the caller calls abort_job_transaction().
#pragma once

#include "pg/guard.hpp"

namespace metrics_refresh::pg {

/// Begins a transaction, and makes its first snapshot the active one. The server does not enforce
/// transaction_timeout, since that would end the process; job_transaction_timeout() is the value of
/// the session's role in milliseconds, or 0.
void begin_job_transaction();
std::int64_t job_transaction_timeout() noexcept;

/// Commits as if the setting synchronous_commit had this value (SyncCommitLevel). Returns the end
/// of the commit record, or InvalidXLogRecPtr if nothing was written.
XLogRecPtr commit_job_transaction(int synchronous);
void abort_job_transaction();

/// Sends the statistics if the last time is a second ago, or if `now`. REQUIRES: no transaction.
void send_statistics(bool now);

/// Waits until the log is on disk up to this position. Costs a comparison if it is already.
void flush_log(XLogRecPtr position);
/// Waits until all that is in the log now is on disk, and so each commit that is visible.
void flush_log();

}  // namespace metrics_refresh::pg
