// The storage of a table's rows.
//
// REQUIRES for all functions: inside pg::call().
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::pg {

/// True for the heap of the server, under any name.
bool is_heap(Oid access_method);

/// True if rows of the relation can be changed without a transaction id and without WAL, in ways
/// that the server allows. That is so if it is unlogged or temporary, or if it is not a heap.
bool may_change_silently(Oid relation);

}  // namespace metrics_refresh::pg
