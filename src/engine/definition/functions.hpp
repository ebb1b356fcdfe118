// The functions that an expression calls, the objects that they depend on besides their arguments,
// and the versions of functions.
//
// REQUIRES of all: inside pg::call().
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

/// As check_functions_in_node(). For an aggregate of a user also its parts, because the server
/// marks every aggregate as immutable. `checker` may be called with InvalidOid.
bool check_functions(Node* node, check_function_callback checker, void* context);

/// The functions that an aggregate of a user consists of. `checker` may be called with InvalidOid.
bool check_parts(Oid aggregate, check_function_callback checker, void* context);

/// True if an argument is a text search configuration or dictionary. The result of such a function
/// depends on that object, which can be altered without a trace in the view.
bool uses_text_search_object(Oid function);

/// Appends the version of a row in a catalog. Each update of the row changes it, even in the same
/// transaction.
void append_version(StringInfo text, HeapTuple row);

/// Appends the version of a function of a user and of its language. CREATE OR REPLACE keeps the oid
/// of the function but changes its row. Appends nothing for a function of the server.
void append_function(StringInfo text, Oid function);

}  // namespace metrics_refresh::engine
