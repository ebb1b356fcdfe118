// What the catalogs and the log say of materialized views, for those who judge their freshness.
// Read as the caller, and without waiting for a lock.
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
  std::optional<std::int64_t> rows;  // after that
  std::string last_status;           // of the last run that has ended; empty: there was none
  std::string last_error;            // of that run
};

/// By oid, those of `views` that exist.
std::map<Oid, LoggedView> logged_views(pg::Spi& spi, const std::vector<Oid>& views);

/// When each job last found its views fresh, so that there was no run. The views have been fresh
/// since their last success.
std::map<std::int64_t, core::Instant> found_fresh();
/// Of one of them, or nothing.
std::optional<core::Instant> find_time(const std::map<std::int64_t, core::Instant>& times,
                                       std::int64_t job);

/// How many due times have passed since `since`, at most `most`; none without a timetable.
int due_times_since(const std::optional<core::Timetable>& timetable, core::Instant since,
                    core::Instant now, int most);

}  // namespace metrics_refresh::api
