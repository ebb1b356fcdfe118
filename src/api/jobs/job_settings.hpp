// The option `settings`: what a job sets for the time of its runs. A run sets them in
// the session of the view's owner, or of the command's, with no more rights than that role has; and
// whoever asks for them must have those rights as well.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "pg/guard.hpp"

namespace metrics_refresh::api {

using Settings = std::vector<std::pair<std::string, std::string>>;

/// Names and values of a jsonb. Throws SqlError 22023 where it is no object of texts, numbers and
/// truth values.
Settings read_settings(Datum jsonb);

/// Tries each of them, and leaves no trace. Throws SqlError 22023 for names and values that the
/// server does not know or a job must not have, 42501 or what else the server says where the caller
/// or one of `owners` (InvalidOid: nobody) may not set it.
void check_settings(const Settings& settings, const std::vector<Oid>& owners);

/// The same for a job that refreshes: what a refresh would not heed is refused as well.
void check_refresh_settings(const Settings& settings, const std::vector<Oid>& owners);

}  // namespace metrics_refresh::api
