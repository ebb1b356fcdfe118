// Who inherits from a table and from whom it does, as the catalog has it. pg_class.relhassubclass
// is only a hint: after the last child was dropped it stays true until ANALYZE.
//
// REQUIRES of all: inside a frame that a server error may leave.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

/// True for a table that others inherit from, or are partitions of, at this moment.
bool has_children(Oid table);
/// True for a table that inherits from another, or is a partition.
bool has_parents(Oid table);

}  // namespace metrics_refresh::engine
