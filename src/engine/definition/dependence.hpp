// The objects that the rows of a view depend on. They are taken from the rewritten query, which
// includes plain views and row-level security, and from the functions that it calls (reach.hpp). If
// none of them has changed, the rows cannot have changed.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

/// A table in the query, with or without its children.
struct ReadTree {
  Oid root;
  bool has_children;
};

struct Dependence {
  /// The tables, partitions and materialized views that are read, in the order of their oids. Null
  /// if the definition was not analyzed.
  Oid* tables;
  int table_count;
  /// The same tables as the query names them, as a List of ReadTree* and as bytes. The bytes
  /// include the children of each table. A table may be read by its own name and as a partition.
  List* trees;
  StringInfo shape;
  /// The reason why changes of some of these tables cannot be counted here, or null. Lower case, no
  /// full stop.
  const char* uncounted_reason;
  /// Functions of users, in the order of their oids.
  List* functions;
  /// The reason why the rows may change although none of these objects does, or null. Lower case,
  /// no full stop.
  const char* reason;
  /// The rewritten query as text, with the names of functions and tables as oids.
  const char* text;
  /// The versions of types, collations, time zones and of everything that the functions depend on.
  const char* versions;
  /// The relations that functions read, as text for users (describe_reads()). They are also among
  /// the tables.
  const char* read_by_functions;
};

/// REQUIRES: inside pg::call(), as the owner of the view; the view is locked or may change
/// meanwhile.
Dependence dependence_of(Oid view);

}  // namespace metrics_refresh::engine
