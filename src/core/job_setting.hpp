// Settings that a job must not have: those that it has options for, those that a run depends on,
// and those that end its process or fill the server's log. It knows names only; rights are the
// server's.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <string>

namespace metrics_refresh::core {

/// Why a job must not have the setting of this name, in whatever case: a sentence for a hint. Null
/// where it may.
const char* why_no_job_setting(const std::string& name);

/// The same for what only a command may have.
const char* why_no_refresh_setting(const std::string& name);

}  // namespace metrics_refresh::core
