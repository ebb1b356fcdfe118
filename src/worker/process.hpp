// The common parts of the launcher, the schedulers and the workers: their start, their signals and
// settings, and the report of errors that do not end them.
#pragma once

#include <string>

#include "store/own_tables.hpp"

namespace metrics_refresh::worker {

/// Installs the signal handlers. SIGTERM ends the process, and SIGHUP reloads the configuration.
/// SIGINT ends a wait for a lock, and cancels a query if accept_cancel() allows it.
void install_signals();

/// Accepts cancels from now on, or ignores them. A cancel between two runs, or while the log is
/// written, would end work that it is not meant for.
void accept_cancel(bool accept) noexcept;

/// True if a statement exceeded its statement_timeout since the last accept_cancel(true).
bool exceeded_statement_timeout() noexcept;

/// Connects to `database` as the bootstrap superuser. For InvalidOid, only shared catalogs can be
/// read. Ends the process if it cannot connect.
void connect(Oid database);

/// False if processes of the extension would disturb a database or cannot enter it. CREATE DATABASE
/// needs a template without sessions. A database may also refuse connections, or be left behind by
/// an interrupted DROP DATABASE.
bool may_be_served(Form_pg_database database) noexcept;

/// Overrides settings of the role or the database that are meant for clients. Transactions of the
/// extension use none of them, and a refresh uses the limits of its job. RESET restores them.
void set_process_settings();

/// Restores these settings for a command, to the values that a client of the role would have.
/// `lock_timeout` (in milliseconds) is used if it is shorter. REQUIRES: a transaction.
void set_client_settings(int lock_timeout);

/// Makes the C library keep the memory that a run frees. The next run needs it again, and a virtual
/// machine takes long to return memory to the system and to get it back.
void retain_memory();

/// Describes a process to start.
struct Launch {
  const char* function;  // the entry point
  std::string name;      // as pg_stat_activity and the server log show it
  const char* type;      // backend_type
  Datum argument;
  std::uint64_t extra;  // passed in bgw_extra
};

/// Starts a process. Returns null if the server has no free worker slot. The latch of the caller is
/// set when the process starts and when it ends.
BackgroundWorkerHandle* start_process(const Launch& launch);

/// Wakes the postmaster. Call this every second while a requested process does not start. If a fork
/// failed, the postmaster may sleep for a minute before it reports that.
void remind_postmaster();

/// The value of `extra` with which this process was started.
std::uint64_t launch_extra();

/// A run is handed over this long before it is due. The worker is then awake when the due time
/// comes, and waits for the rest of the time.
inline constexpr core::Duration kHandOver = std::chrono::milliseconds(1);

using store::log_current_exception;

}  // namespace metrics_refresh::worker
