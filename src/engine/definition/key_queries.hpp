// Queries that are built as trees and not as text, so that they mean the same as the definition.
// They read the rows of a table, the rows of the definition under a condition, or the rows of the
// view.
//
// REQUIRES of all: inside pg::call(). Rights and settings are the current ones.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

/// SELECT the columns with the numbers `columns`, ascending, FROM the table of `entry` WHERE
/// `condition`. The Vars in the condition have the range table index 1. Rights are checked as
/// `permission` says, which comes from the query of the entry.
Query* select_columns(const RangeTblEntry* entry, const Node* permission, const Bitmapset* columns,
                      Node* condition);

/// SELECT * FROM (definition) WHERE `condition`. Its Vars have the range table index 1.
Query* select_from_definition(const Query* definition, Node* condition);

/// SELECT *, ctid FROM the view WHERE `condition`. No privilege is required.
Query* select_from_view(Relation view, Node* condition);

/// Column `number` of a row type, as a Var with the range table index 1.
Var* column_var(TupleDesc row, int number);

}  // namespace metrics_refresh::engine
