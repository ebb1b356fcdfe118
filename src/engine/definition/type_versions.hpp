// The types and collations that a query deals with, and whether they are still the same: ALTER TYPE
// and ALTER DOMAIN keep a type's number.
//
// REQUIRES of all: inside pg::call().
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

/// The user's types that the node's value is of: oids.
List* types_of(Node* node);

/// The versions of a type of the user's, and of what it is made of: labels, constraints, columns,
/// elements, functions that compare. Of each type once, where `seen` has those that came before.
void append_type(StringInfo text, Oid type, List** seen);

/// The versions of collations that the node compares or orders by, other than the database's.
void append_collations(StringInfo text, Node* node);

/// The checks of a domain and of those that it is made of, as a List of expressions.
List* domain_checks(Oid domain);

/// Functions of the user's by which values are cast from or to the type: oids.
List* cast_functions(Oid type);

/// The versions of all text search configurations and dictionaries.
void append_text_search(StringInfo text);

}  // namespace metrics_refresh::engine
