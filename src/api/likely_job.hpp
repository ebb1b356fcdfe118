// The job that a caller may have meant by an unknown name, for the hint of an error.
#pragma once

#include <string>

namespace metrics_refresh::api {

/// The most similar name among the jobs that the caller may see, or empty if none is similar.
std::string likely_job(const std::string& name);

}  // namespace metrics_refresh::api
