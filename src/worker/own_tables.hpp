// How the scheduler touches the extension's tables: in short transactions of its own, never waiting
// long for somebody's lock.
#pragma once

#include "pg/identity.hpp"
#include "pg/spi.hpp"
#include "pg/transaction.hpp"
#include "worker/process.hpp"

namespace metrics_refresh::worker {

/// A table of ours that somebody locked delays news and log rows by this, never a run that is due.
inline constexpr char kOwnLockTimeout[] = "2s";

/// How long to wait before what could not be read or written is tried again.
inline constexpr core::Duration kTryAgain = std::chrono::seconds(1);

/// Runs `body(spi)` in a transaction of its own, with the extension's rights. Throws PgError where
/// a lock or anything else stands in the way.
template <typename Body>
void with_own_tables(Body&& body) {
  pg::in_transaction([&body] {
    pg::call([] {
      (void)set_config_option("lock_timeout", kOwnLockTimeout, PGC_USERSET, PGC_S_SESSION,
                              GUC_ACTION_LOCAL, true, 0, false);
    });
    pg::as_extension([&body] {
      pg::Spi spi;
      body(spi);
    });
  });
}

/// The same; an error goes to the server log, with `doing` saying what failed. True where it
/// worked.
template <typename Body>
bool try_with_own_tables(const char* doing, Body&& body) {
  try {
    with_own_tables(body);
    return true;
  } catch (const std::exception&) {
    log_current_exception(doing);
    return false;
  }
}

}  // namespace metrics_refresh::worker
