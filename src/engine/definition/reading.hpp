// A query that reads a relation and nothing else.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

/// SELECT FROM the relation, which the server's rewriter makes what reading it means: the query of
/// a plain view, with policies. REQUIRES: inside pg::call(); the relation is locked.
Query* reading_of(Oid relation);

}  // namespace metrics_refresh::engine
