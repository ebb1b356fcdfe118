// All that functions come to read and call: their bodies (function_body.hpp), those of the
// functions that are called there, and so on. A body that can be read is believed more than what
// the function is declared as; one in another language is taken at its word.
//
// REQUIRES of all: inside pg::call(), as the role that calls the functions.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

struct ReadByFunction {
  Oid relation;
  Oid function;  // the one whose body names it
  Oid reader;    // with whose rights
};

struct Reach {
  List* functions;  // oids, not the server's own
  List* callers;    // the role that calls each
  List* reads;      // of ReadByFunction*
  List* types;      // oids, not the server's own
  List* zones;      // char*
  bool searches_text;
  const char* obstacle;  // why not all is known: lower case, no full stop; or null
};

/// Functions beyond this are an obstacle.
inline constexpr int kMostFunctions = 1000;

/// Adds what the function comes to. One of the server's own adds nothing.
void follow(Reach& reach, Oid function);

/// The versions of all that the functions came to, but for relations.
void append_reach(StringInfo text, const Reach& reach);

/// `schema.table (schema.function)`, separated by commas; of many the first few. Empty for none.
const char* describe_reads(const Reach& reach);

}  // namespace metrics_refresh::engine
