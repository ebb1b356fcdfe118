// What the rows of a view depend on, read off its query as the server rewrites it: with plain views
// in their places and row-level security applied, and off the functions that it calls (reach.hpp).
// So it is known whether they can have changed.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

/// A table of the query, with or without what inherits from it.
struct ReadTree {
  Oid root;
  bool has_children;
};

struct Dependence {
  /// Tables, partitions and materialized views that are read, in the order of their oids. Null
  /// where the definition was not looked into.
  Oid* tables;
  int table_count;
  /// These tables as the query names them: List of ReadTree*, and as bytes, each with what inherits
  /// from it. A table may be read by its own name and as a partition.
  List* trees;
  StringInfo shape;
  /// Why changes of some of these tables cannot be counted here: lower case, no full stop; or null.
  const char* uncountable;
  /// Functions that are not the server's own, in the order of their oids.
  List* functions;
  /// Why the rows may change although none of these does: lower case, no full stop; or null.
  const char* obstacle;
  /// The rewritten query as text, with the names of functions and tables as oids.
  const char* text;
  /// The versions of types, collations, time zones and of all that the functions come to.
  const char* versions;
  /// What functions read, which is among the tables: for people (describe_reads()).
  const char* read_by_functions;
};

/// REQUIRES: inside pg::call(), as the view's owner; the view is locked or may change meanwhile.
Dependence dependence_of(Oid view);

}  // namespace metrics_refresh::engine
