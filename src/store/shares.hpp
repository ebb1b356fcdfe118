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
/// Of the jobs that `owner` owns. Takes a time that grows with them.
Share share_of_jobs(Oid owner);
/// At most so much: what was last counted of this owner, if this process remembers, and all that
/// anybody has written since; else as share_of_jobs(). So a session that makes many jobs does not
/// count them again for each.
Share most_of_jobs(Oid owner);

/// Counts a row of job that was inserted or updated, and whose transaction is still
/// open. REQUIRES: it is called after the row is there.
void note_written(HeapTuple row, TupleDesc description);
/// A transaction or subtransaction was rolled back, and what it had removed is there again.
void forget_counted() noexcept;

/// How many runs `role` has asked for that have not begun.
std::int64_t count_requests(Oid role);

/// The text, or what of it fits into the log, with a word that something is missing.
std::string cut_for_log(const std::string& text);

}  // namespace metrics_refresh::store
