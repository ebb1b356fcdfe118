// Inheritance of a table according to pg_inherits. pg_class.relhassubclass is only a hint: after
// the last child is dropped, it stays true until ANALYZE.
//
// REQUIRES of all: in a frame that an error of the server may leave.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

/// True if other tables inherit from this table, or are its partitions, at this moment.
bool has_children(Oid table);
/// True if the table inherits from another, or is a partition.
bool has_parents(Oid table);

}  // namespace metrics_refresh::engine
