// The facts about the job queue for health_check().
#pragma once

#include "core/health/queue_health.hpp"
#include "pg/spi.hpp"

namespace metrics_refresh::api {

/// Reads no job: numbers come from shared memory. Waits for no other session. `spi` has the rights
/// of the caller.
core::QueueFacts queue_facts(pg::Spi& spi, bool super_admin);

}  // namespace metrics_refresh::api
