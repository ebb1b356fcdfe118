// What a table's rows are kept in.
//
// REQUIRES of all: inside pg::call().
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::pg {

/// True for the server's heap, under whatever name.
bool is_heap(Oid access_method);

/// True where rows of the relation can be changed without a transaction number and without WAL, by
/// means that the server allows: where it is unlogged, or not a heap.
bool may_change_silently(Oid relation);

}  // namespace metrics_refresh::pg
