// How our processes touch the extension's tables: in short transactions of its own, never waiting
// long for somebody's lock.
#pragma once

#include "pg/identity.hpp"
#include "pg/spi.hpp"
#include "pg/transaction.hpp"
#include "worker/process.hpp"

namespace metrics_refresh::worker {

/// How long to wait for a lock on a table of ours that somebody else holds. The scheduler has runs
/// to start meanwhile; a worker has not, and a run that cannot begin starts later.
inline constexpr char kSchedulerLockTimeout[] = "100ms";
inline constexpr char kWorkerLockTimeout[] = "2s";
/// The same for hand-overs, which wait for no row; there may be many, and each is tried again.
inline constexpr char kHandOverLockTimeout[] = "20ms";
/// The same where a wait that ends costs a refresh.
inline constexpr char kLogLockTimeout[] = "10s";

/// How long to wait before what could not be read or written is tried again.
inline constexpr core::Duration kTryAgain = std::chrono::seconds(1);

/// True where the time to try again has come, or the clock was set back since it was chosen.
inline bool is_time(core::Instant at, core::Instant now) {
  return at <= now || at > now + kTryAgain;
}

/// Runs `body(spi)` in a transaction of its own, with the extension's rights. Throws PgError where
/// a lock or anything else stands in the way.
template <typename Body>
void with_own_tables(const char* lock_timeout, Body&& body) {
  pg::in_transaction([lock_timeout, &body] {
    pg::call([lock_timeout] {
      (void)set_config_option("lock_timeout", lock_timeout, PGC_USERSET, PGC_S_SESSION,
                              GUC_ACTION_LOCAL, true, 0, false);
    });
    pg::as_extension([&body] {
      pg::Spi spi;
      body(spi);
    });
  });
}

/// The same for the scheduler; an error goes to the server log, with `doing` saying what failed.
/// True where it worked.
template <typename Body>
bool try_with_own_tables(const char* doing, Body&& body) {
  try {
    with_own_tables(kSchedulerLockTimeout, body);
    return true;
  } catch (const std::exception&) {
    log_current_exception(doing);
    return false;
  }
}

}  // namespace metrics_refresh::worker
