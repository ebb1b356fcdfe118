// Accesses the tables of the extension from background processes, in short transactions of their
// own with a short lock_timeout.
#pragma once

#include "extension/own_schema.hpp"
#include "pg/spi.hpp"
#include "pg/transaction.hpp"
#include "store/runs.hpp"

namespace metrics_refresh::store {

/// Writes the exception being handled to the server log, with `doing` as its context.
void log_current_exception(const char* doing);

/// The lock_timeout of the scheduler for tables of the extension, because it has runs to start.
inline constexpr char kSchedulerLockTimeout[] = "100ms";

/// The delay after a failed read or write.
inline constexpr core::Duration kTryAgain = std::chrono::seconds(1);

/// True if the time `at` has come. Also true if it is more than `longest` ahead. Then the clock was
/// set back since `at` was computed.
inline bool is_time(core::Instant at, core::Instant now, core::Duration longest = kTryAgain) {
  return at <= now || at > now + longest;
}

/// kAsSet: a commit waits for a synchronous standby if the settings require it. The wait may never
/// end, so kNotAwaited is used if no limit can end it.
enum class Standby { kAsSet, kNotAwaited };

/// Runs `body(spi)` in a transaction of its own, with the rights of the extension. Throws PgError,
/// for example if a lock is not available.
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

/// The result of such a transaction. kLater: the error is transient
/// (core/scheduler/retry_policy.hpp). kFailed: it is permanent.
enum class Attempt { kDone, kLater, kFailed };

/// Writes the exception that is being handled to the server log and to `error`, if that is not
/// null. Returns kLater or kFailed.
Attempt failed_attempt(const char* doing, RunError* error);

/// Like with_own_tables(), but an error is handled by failed_attempt().
template <typename Body>
Attempt attempt_with_own_tables(const char* lock_timeout, const char* doing, Body&& body,
                                RunError* error = nullptr) {
  try {
    with_own_tables(lock_timeout, body);
    return Attempt::kDone;
  } catch (const std::exception&) {
    return failed_attempt(doing, error);
  }
}

/// Like attempt_with_own_tables(), with the lock_timeout of the scheduler. Returns true for kDone.
template <typename Body>
bool try_with_own_tables(const char* doing, Body&& body) {
  return attempt_with_own_tables(kSchedulerLockTimeout, doing, body) == Attempt::kDone;
}

}  // namespace metrics_refresh::store
