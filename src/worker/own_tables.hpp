// How our processes touch the extension's tables: in short transactions of its own, never waiting
// long for somebody's lock.
#pragma once

#include "extension/own_schema.hpp"
#include "pg/spi.hpp"
#include "pg/transaction.hpp"
#include "store/runs.hpp"
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

/// True where the time to try again has come, or the clock was set back since it was chosen, no
/// more than `longest` ahead.
inline bool is_time(core::Instant at, core::Instant now, core::Duration longest = kTryAgain) {
  return at <= now || at > now + longest;
}

/// Whether a commit waits for a synchronous standby, as the session's settings have it. That can be
/// for ever, so where no limit ends the wait there must be none.
enum class Standby { kAsSet, kNotAwaited };

/// Runs `body(spi)` in a transaction of its own, with the extension's rights. Throws PgError where
/// a lock or anything else stands in the way.
template <typename Body>
void with_own_tables(const char* lock_timeout, Body&& body, Standby standby = Standby::kAsSet) {
  pg::in_transaction([lock_timeout, standby, &body] {
    pg::call([lock_timeout] {
      (void)set_config_option("lock_timeout", lock_timeout, PGC_USERSET, PGC_S_SESSION,
                              GUC_ACTION_LOCAL, true, 0, false);
    });
    if (standby == Standby::kNotAwaited) pg::commit_without_standby();
    extension::as_extension(body);
  });
}

/// How that went. kLater: what stands in the way goes away by itself
/// (core/scheduler/retry_policy.hpp).
enum class Attempt { kDone, kLater, kFailed };

/// Of the exception being handled, which goes to the server log and to `error`, where one is
/// wanted.
Attempt failed_attempt(const char* doing, store::RunError* error);

/// The same; an error goes to the server log, with `doing` saying what failed, and to `error`.
template <typename Body>
Attempt attempt_with_own_tables(const char* lock_timeout, const char* doing, Body&& body,
                                store::RunError* error = nullptr) {
  try {
    with_own_tables(lock_timeout, body);
    return Attempt::kDone;
  } catch (const std::exception&) {
    return failed_attempt(doing, error);
  }
}

/// The same for the scheduler. True where it worked.
template <typename Body>
bool try_with_own_tables(const char* doing, Body&& body) {
  return attempt_with_own_tables(kSchedulerLockTimeout, doing, body) == Attempt::kDone;
}

}  // namespace metrics_refresh::worker
