// The versions of types and collations that a query uses. ALTER TYPE and ALTER DOMAIN keep the oid
// of a type, so oids alone do not show a change.
//
// REQUIRES of all: inside pg::call().
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

/// The type of the node's value if it is a type of a user, as a list of oids.
List* types_of(Node* node);

/// Appends the versions of a type of a user and of its parts: labels, constraints, columns,
/// elements, and functions that compare. Each type is appended once; `seen` holds those that were.
void append_type(StringInfo text, Oid type, List** seen);

/// Appends the versions of collations that the node uses to compare or sort, other than the default
/// collation of the database.
void append_collations(StringInfo text, Node* node);

/// The checks of a domain and of its base domains, as a List of expressions.
List* domain_checks(Oid domain);

/// Oids of functions of users that cast values from or to the type.
List* cast_functions(Oid type);

/// Appends the versions of all text search configurations and dictionaries.
void append_text_search(StringInfo text);

}  // namespace metrics_refresh::engine
