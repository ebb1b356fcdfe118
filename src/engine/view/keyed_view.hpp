// Whether a view is set up for the strategy incremental, asked before the transaction has a
// snapshot: at repeatable read it must not get one while locks are still to be waited for.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

struct KeyedView {
  bool is_set_up;
  const char* demoted;  // why it is refreshed by diff all the same, or null
};

/// As the table incremental_view says at this moment. REQUIRES: inside pg::call(); the view exists.
KeyedView find_keyed_view(Oid view);

}  // namespace metrics_refresh::engine
