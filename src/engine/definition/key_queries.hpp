// Queries that are built as trees, not as text, so that they mean what the definition means: a
// table's rows as a definition sees them, the definition's rows under a condition, and the view's.
//
// REQUIRES of all: inside pg::call(). Rights and settings are those in force.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

/// SELECT the columns of numbers `columns`, ascending, FROM the table of `entry` WHERE `condition`,
/// whose Vars have the number 1. With the rights that `permission` (of the query that the entry is
/// from) says.
Query* select_columns(const RangeTblEntry* entry, const Node* permission, const Bitmapset* columns,
                      Node* condition);

/// SELECT * FROM (definition) WHERE `condition`, whose Vars have the number 1.
Query* select_from_definition(const Query* definition, Node* condition);

/// SELECT *, ctid FROM the view WHERE `condition`, with no privilege asked for.
Query* select_from_view(Relation view, Node* condition);

/// Column `number` of a row type, as a Var of number 1.
Var* column_var(TupleDesc row, int number);

}  // namespace metrics_refresh::engine
