// The share of one role in the tables job, job_type and run_request, and the limits of the texts in
// them. Uncommitted rows of other sessions count, so that open transactions cannot hide them.
// Nothing is locked: two sessions that write at the same moment may both get the last place.
#pragma once

#include <cstdint>
#include <string>

#include "pg/guard.hpp"

namespace metrics_refresh::store {

// In bytes; the CHECK constraints of the table have the same values.
inline constexpr std::int64_t kMaxJobName = 500;
inline constexpr std::int64_t kMaxCommand = 1024 * 1024;
inline constexpr std::int64_t kMaxSettings = 8192;

struct Share {
  std::int64_t jobs = 0;
  std::int64_t bytes = 0;  // of all columns, before compression by the server
};
/// The share of the jobs and job types that `owner` owns. Takes time proportional to their number.
Share share_of_jobs(Oid owner);
/// The number of job types of `owner` alone.
std::int64_t count_types(Oid owner);
/// An upper bound: the last count of this owner, if this process remembers it, plus everything that
/// any session has written since. Otherwise like share_of_jobs(). A session that makes many jobs
/// thus does not count them again for each one.
Share upper_bound_of_share(Oid owner);

/// Counts a row of job or job_type that was inserted or updated in the open transaction. REQUIRES:
/// called after the row was written.
void count_written_row(HeapTuple row, TupleDesc description);
/// A transaction or subtransaction was rolled back, and rows that it had deleted are back.
void invalidate_count() noexcept;

/// Number of runs that `role` has requested and that have not begun.
std::int64_t count_requests(Oid role);

/// The text, cut to the size that the log keeps. A remark is appended if it was cut.
std::string cut_for_log(const std::string& text);

}  // namespace metrics_refresh::store
