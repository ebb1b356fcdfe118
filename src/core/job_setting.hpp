// Settings that a job must not have. Either an option replaces them, or a run depends on them, or
// they would end the process or fill the server log. Only names are checked here; the server checks
// the privileges.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <string>

namespace metrics_refresh::core {

/// Returns why a job must not have the setting of this name (in any letter case), as a sentence for
/// a hint. Returns null if it may.
const char* reason_against_job_setting(const std::string& name);

/// The same for settings that only commands may have.
const char* reason_against_refresh_setting(const std::string& name);

}  // namespace metrics_refresh::core
