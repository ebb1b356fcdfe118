// All relations and functions that functions use directly or through other functions. For a body
// that can be read, its contents count and not its declared volatility. For other languages, the
// declared volatility counts.
//
// REQUIRES of all: inside pg::call(), as the role that calls the functions.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

struct ReadByFunction {
  Oid relation;
  Oid function;  // the one whose body names it
  Oid reader;    // the role whose rights are used
};

struct Reach {
  List* functions;  // oids of functions of users
  List* callers;    // the role that calls each
  List* reads;      // of ReadByFunction*
  List* types;      // oids of types of users
  List* zones;      // char*
  bool searches_text;
  const char* reason;  // the reason why not all is known: lower case, no full stop; or null
};

/// If there are more functions, `reason` says so.
inline constexpr int kMostFunctions = 1000;

/// Adds the function and everything that it uses. A function of the server adds nothing.
void follow(Reach& reach, Oid function);

/// Appends the versions of everything that was found, except relations.
void append_reach(StringInfo text, const Reach& reach);

/// The reads as `schema.table (schema.function)`, separated by commas. If there are many, only the
/// first few. Empty if there is none.
const char* describe_reads(const Reach& reach);

}  // namespace metrics_refresh::engine
