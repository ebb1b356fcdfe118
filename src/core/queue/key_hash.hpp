// The hash of a key or a unique key of jobs. It is stored in tables, so it is the same on all
// platforms and in all versions.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <string_view>

#include "core/queue/turns.hpp"

namespace metrics_refresh::core::queue {

/// Never 0, which stands for no key. Keys with the same hash share a lane and its limits; unique
/// keys are compared as text, too.
KeyHash key_hash(std::string_view key) noexcept;

}  // namespace metrics_refresh::core::queue
