// What one role has in the tables job and run_request, and how long the texts in them may be. It is
// counted together with what other sessions have written and not committed, so that open
// transactions cannot hide it; nothing is locked, so two sessions that write at the same moment may
// both get the last place.
#pragma once

#include <cstdint>
#include <string>

#include "pg/guard.hpp"

namespace metrics_refresh::store {

// In bytes; the table's checks say the same.
inline constexpr std::int64_t kMaxJobName = 500;
inline constexpr std::int64_t kMaxCommand = 1024 * 1024;
inline constexpr std::int64_t kMaxSettings = 8192;

struct Share {
  std::int64_t jobs = 0;
  std::int64_t bytes = 0;  // of all their columns, as they were before the server compressed them
};
/// Of the jobs that `owner` owns.
Share share_of_jobs(Oid owner);

/// How many runs `role` has asked for that have not begun.
std::int64_t count_requests(Oid role);

/// The text, or what of it fits into the log, with a word that something is missing.
std::string cut_for_log(const std::string& text);

}  // namespace metrics_refresh::store
