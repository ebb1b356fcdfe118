// Claims and starts of jobs that are known from before a restart.
#pragma once

#include <cstdint>

#include "queue/upkeep/types.hpp"

namespace metrics_refresh::queue {

/// Makes claims from outside whose jobs have not ended, and counts the last starts of types with a
/// rate limit. A lease begins anew, with its first length. Returns false if the tables cannot be
/// read now. `segments` are those in use: a bit for each.
bool restore_known_claims(const Types& types, std::uint8_t segments);

}  // namespace metrics_refresh::queue
