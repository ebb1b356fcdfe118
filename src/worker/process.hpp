// What the launcher, the schedulers and the workers have in common: how such a process begins, how
// it is started, and how it reports an error that it survives.
#pragma once

#include <string>

#include "pg/guard.hpp"

namespace metrics_refresh::worker {

/// Installs the signal handlers: SIGTERM ends the process, SIGHUP reloads, SIGINT cancels a query
/// where accept_cancel() allows it and ends a wait for a lock in any case.
void install_signals();

/// From now on a cancel is accepted, or not: one that comes while the log is written, or between
/// two runs, would hit what it is not meant for.
void accept_cancel(bool accept) noexcept;

/// True where a statement ran into its statement_timeout since a cancel was last made acceptable.
bool exceeded_statement_timeout() noexcept;

/// Connects to `database` (InvalidOid: to none, shared catalogs only) as the bootstrap superuser.
/// Ends the process where it cannot connect.
void connect(Oid database);

/// False where our processes would stand in the way or cannot be: in a template, which CREATE
/// DATABASE needs for itself, in what nobody may connect to, and in what an interrupted DROP
/// DATABASE left.
bool may_be_served(Form_pg_database database) noexcept;

/// Sets aside settings of the session's role or database that are meant for clients: our own
/// transactions go by none of them, and a refresh by its job's limits. RESET brings them back.
void set_process_settings();

/// Has a command begin with what a client's session would have of these, which RESET knows.
/// `lock_timeout` (milliseconds) counts where it is the shorter one. REQUIRES: a transaction.
void set_client_settings(int lock_timeout);

/// Has the C library keep memory that a run gives back: the next run wants it again, and giving it
/// to the system and getting it anew is dear in a virtual machine.
void keep_memory();

/// Which process to start and what it needs to know.
struct Launch {
  const char* function;  // the entry point
  std::string name;      // as pg_stat_activity and the server log show it
  const char* type;      // backend_type
  Datum argument;
  std::uint64_t extra;  // handed over in bgw_extra
};

/// Null where the server has no worker slot free. The caller is told of its start and end by its
/// latch.
BackgroundWorkerHandle* start_process(const Launch& launch);

/// To be called every second while a process that was asked for does not come. A postmaster that
/// could not fork sleeps, for a minute where nothing else wakes it, before it says so.
void remind_postmaster();

/// The `extra` that this process was started with.
std::uint64_t launch_extra();

/// A run is handed over so long before it is due, and its worker waits for the rest: by then it is
/// awake.
inline constexpr core::Duration kHandOver = std::chrono::milliseconds(1);

/// Writes the exception being handled to the server log, with `doing` as its context.
void log_current_exception(const char* doing);

}  // namespace metrics_refresh::worker
