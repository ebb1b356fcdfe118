// The functions that are commonly written around a materialized view platform_metrics.
#pragma once

#include "store/adoption/thin_functions.hpp"

namespace metrics_refresh::store {

/// refresh_platform_metrics_with_logging, trigger_platform_metrics_refresh,
/// cleanup_old_metrics_logs and get_metrics_refresh_stats, over the view of this schema.
std::vector<Thin> platform_functions(const std::string& schema);

}  // namespace metrics_refresh::store
