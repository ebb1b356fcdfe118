// The functions that an expression calls: all of them, what they depend on beside their arguments,
// and whether they are still the same.
//
// REQUIRES of all: inside pg::call().
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

/// As check_functions_in_node(), and of an aggregate of the user's also what it is made of: it is
/// marked as immutable whatever that is. `checker` may be asked about InvalidOid.
bool check_functions(Node* node, check_function_callback checker, void* context);

/// The functions that an aggregate of the user's is made of. `checker` may be asked about
/// InvalidOid.
bool check_parts(Oid aggregate, check_function_callback checker, void* context);

/// True where an argument is a text search configuration or dictionary: what such a function does
/// is said by an object that can be altered without a trace in the view.
bool takes_text_search_object(Oid function);

/// The version of a row in the catalog: what writes it, even in the same transaction, makes
/// another.
void append_version(StringInfo text, HeapTuple row);

/// The version of a function of the user's, and of the language that it is in: CREATE OR REPLACE
/// keeps its number, but not its row.
/// Nothing for the server's own.
void append_function(StringInfo text, Oid function);

}  // namespace metrics_refresh::engine
