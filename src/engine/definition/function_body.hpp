// The relations and functions that the body of one function uses, as far as they can be found
// without running code.
//
// A body that was parsed at its creation (BEGIN ATOMIC, RETURN) is a tree. A text in SQL or
// PL/pgSQL is split into tokens, and each name is looked up as the function itself would do it. A
// table counts as read if its name follows FROM, JOIN, a comma or the like. All functions and
// operators of a name that is called count as called, whatever their arguments are. So too much may
// be found, but only implicit casts are overlooked.
//
// The server's parser would find less that is not used. But it evaluates the constants in a text,
// and for that it runs the checks of domains. That would be code of users in the session of a role
// that only asks for a report. Other languages are not examined.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

struct FunctionBody {
  bool is_open;        // false: its language is not examined
  Oid definer;         // the role whose rights it has, if not those of its caller
  List* relations;     // oids of tables, views and the like
  List* functions;     // oids of functions of users
  List* types;         // oids of types of users
  List* zones;         // names of time zones, as char*
  bool searches_text;  // uses text search configurations or dictionaries
  const char* reason;  // the reason why the rest is not known, as "calls now()"; or null
};

/// REQUIRES: inside pg::call(), as the role that calls it.
FunctionBody read_function_body(Oid function);

}  // namespace metrics_refresh::engine
