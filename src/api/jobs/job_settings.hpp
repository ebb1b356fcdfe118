// The option `settings`: parameters that are set during the runs of a job. A run sets them in the
// session of the owner of the view or of the command, with no more rights than that role has. The
// caller who specifies them must have those rights as well.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "pg/guard.hpp"

namespace metrics_refresh::api {

using Settings = std::vector<std::pair<std::string, std::string>>;

/// Names and values of a jsonb object. Throws SqlError 22023 unless all values are strings, numbers
/// or booleans.
Settings read_settings(Datum jsonb);

/// Tries each setting, without lasting effect. Throws SqlError 22023 if the server does not know a
/// name or value, or if a job must not have the setting. Throws 42501, or another error of the
/// server, if the caller or one of `owners` may not set it. InvalidOid among the owners is ignored.
void check_settings(const Settings& settings, const std::vector<Oid>& owners);

/// The same for a job that refreshes. Settings without effect on a refresh are rejected as well.
void check_refresh_settings(const Settings& settings, const std::vector<Oid>& owners);

}  // namespace metrics_refresh::api
