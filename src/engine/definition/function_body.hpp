// What the body of one function reads and calls, as far as it can be seen without running anything.
//
// A body that was parsed when it was made (BEGIN ATOMIC, RETURN) is a tree. A text in SQL or
// PL/pgSQL is cut into words, and each name is looked up as the function itself would: what stands
// after FROM, JOIN, a comma and the like and is a table counts as read, and every function or
// operator of a name that is called counts as called, whatever its arguments are. So too much may
// be found, and nothing is missed but implicit casts. The server's parser would find less, but it
// makes values of the constants in a text, for which it runs the checks of domains: code of the
// user's, in whoever's session only looks. Other languages are not looked into.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

struct FunctionBody {
  bool is_open;          // false: it is in a language that is not looked into
  Oid definer;           // whose rights it reads with, if not its caller's
  List* relations;       // oids of tables, views and the like
  List* functions;       // oids, not the server's own
  List* types;           // oids, not the server's own
  List* zones;           // names of time zones, as char*
  bool searches_text;    // by text search configurations or dictionaries
  const char* obstacle;  // why the rest is not known, as "calls now()"; or null
};

/// REQUIRES: inside pg::call(), as the role that calls it.
FunctionBody read_function_body(Oid function);

}  // namespace metrics_refresh::engine
