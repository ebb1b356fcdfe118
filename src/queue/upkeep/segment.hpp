// The segment for new rows of the upkeep.
#pragma once

#include <cstdint>

namespace metrics_refresh::queue {

/// Locks the current segment for rows of this transaction, and returns it. Throws SqlError if
/// shared memory does not know it: then the queue must be recovered first.
std::uint8_t lock_current_segment();

}  // namespace metrics_refresh::queue
