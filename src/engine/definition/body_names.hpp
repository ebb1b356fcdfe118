// The names in the body of a function (function_body.hpp) and the objects that they stand for on
// the current search path.
//
// REQUIRES of all: inside pg::call(). These functions run no code of users. They raise no error if
// a name matches nothing, and they lock nothing.
#pragma once

#include "engine/definition/function_body.hpp"

namespace metrics_refresh::engine {

/// Looks up the names in a text in SQL or PL/pgSQL and records the objects in `body`.
void read_names(FunctionBody& body, const char* text, bool is_plpgsql);

/// Adds a function that the body calls. A function of the server can set `reason`.
void add_called_function(FunctionBody& body, Oid function);

/// Records that the body reads the relation, if the current role has the right to. Without the
/// right the function fails when it reads.
void add_read_relation(FunctionBody& body, Oid relation);

}  // namespace metrics_refresh::engine
