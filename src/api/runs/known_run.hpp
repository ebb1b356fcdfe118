// A run that somebody names by its number: whether he may see it, and how far it is.
#pragma once

#include <cstdint>
#include <string>

namespace metrics_refresh::api {

struct KnownRun {
  std::string status;
  bool requested_here;  // by a transaction that has not committed yet: this one

  bool is_over() const { return status != "running" && status != "queued"; }
};

/// Throws SqlError 42704 for a run that the caller may not see, or that there is not.
KnownRun look_up(std::int64_t run_id);

}  // namespace metrics_refresh::api
