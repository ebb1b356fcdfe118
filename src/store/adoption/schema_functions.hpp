// The functions that people have in a schema of materialized views.
#pragma once

#include "store/adoption/thin_functions.hpp"

namespace metrics_refresh::store {

/// refresh_all_views, manual_refresh, get_cron_job_status and health_check of the schema, whose
/// group has this name.
std::vector<Thin> schema_functions(const std::string& schema, const std::string& group);

}  // namespace metrics_refresh::store
