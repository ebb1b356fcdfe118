// The names in the body of a function (function_body.hpp), and what they mean on the search path
// that is in force.
//
// REQUIRES of all: inside pg::call(). None runs code of the user's, fails for a name that means
// nothing, or locks what it finds.
#pragma once

#include "engine/definition/function_body.hpp"

namespace metrics_refresh::engine {

/// Looks up the names of a text in SQL or PL/pgSQL and notes in `body` what they mean.
void read_names(FunctionBody& body, const char* text, bool is_plpgsql);

/// Notes that the body calls the function: one of the server's own may be an obstacle.
void note_called_function(FunctionBody& body, Oid function);

/// Notes that the body reads the relation, if the current role may: else it fails when it does.
void note_read_relation(FunctionBody& body, Oid relation);

}  // namespace metrics_refresh::engine
