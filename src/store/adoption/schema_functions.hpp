// The functions that are commonly written for a schema of materialized views.
#pragma once

#include "store/adoption/thin_functions.hpp"

namespace metrics_refresh::store {

/// refresh_all_views, manual_refresh, get_cron_job_status and health_check of the schema. `group`
/// is the name of its group.
std::vector<Thin> schema_functions(const std::string& schema, const std::string& group);

}  // namespace metrics_refresh::store
