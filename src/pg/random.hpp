// Random numbers for delays.
#pragma once

#include "pg/guard.hpp"

namespace metrics_refresh::pg {

/// 0 if the server has none.
inline std::uint64_t random_number() {
  return call([] {
    std::uint64_t number = 0;
    (void)pg_strong_random(&number, sizeof number);
    return number;
  });
}

}  // namespace metrics_refresh::pg
