// Accesses the tables of the extension from the processes of this folder (store/own_tables.hpp).
#pragma once

#include "store/backoff.hpp"
#include "store/own_tables.hpp"
#include "worker/process.hpp"

namespace metrics_refresh::worker {

using store::Attempt;
using store::attempt_with_own_tables;
using store::Backoff;
using store::is_time;
using store::kLongestDelay;
using store::kSchedulerLockTimeout;
using store::kTryAgain;
using store::Standby;
using store::try_with_own_tables;
using store::with_own_tables;

/// The lock_timeout of a worker for tables of the extension. It has no other work, and a run that
/// cannot begin is tried again.
inline constexpr char kWorkerLockTimeout[] = "2s";
/// For hand-overs. There may be many of them, and each is tried again.
inline constexpr char kHandOverLockTimeout[] = "20ms";
/// For the log of a success. A timeout would roll back the refresh.
inline constexpr char kLogLockTimeout[] = "10s";

}  // namespace metrics_refresh::worker
