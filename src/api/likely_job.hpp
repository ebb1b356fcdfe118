// The job that a caller may have meant by a name that no job has: for the hint of an error.
#pragma once

#include <string>

namespace metrics_refresh::api {

/// The name most like `name` among the jobs that the caller may see; empty if none is like it.
std::string likely_job(const std::string& name);

}  // namespace metrics_refresh::api
