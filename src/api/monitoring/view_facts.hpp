// Facts about materialized views from the catalogs and the log, from which their freshness is
// judged. They are read with the rights of the caller and without waiting for locks.
#pragma once

#include "core/schedule/timetable.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "store/jobs.hpp"

namespace metrics_refresh::api {

struct LoggedView {
  bool populated = false;
  std::optional<core::Instant> last_success;
  std::optional<std::int64_t> rows;  // rows after that run
  std::string last_status;           // of the last run that has ended; empty: none
  std::string last_error;            // of that run
};

/// By oid. Views that no longer exist are left out.
std::map<Oid, LoggedView> logged_views(pg::Spi& spi, const std::vector<Oid>& views);

/// The last time at which each job found its views fresh, so that no run was needed. The views have
/// been fresh since their last success.
std::map<std::int64_t, core::Instant> found_fresh();
/// The time of this job, or nothing.
std::optional<core::Instant> find_time(const std::map<std::int64_t, core::Instant>& times,
                                       std::int64_t job);

/// The number of due times since `since`, at most `most`; 0 without a timetable.
int due_times_since(const std::optional<core::Timetable>& timetable, core::Instant since,
                    core::Instant now, int most);

}  // namespace metrics_refresh::api
