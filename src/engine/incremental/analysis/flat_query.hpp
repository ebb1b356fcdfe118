// A SELECT taken apart for the derivation of keys: the tables that it reads, through plain views
// and simple subqueries in FROM; its output columns, said over the columns of these tables; and the
// columns that are equal wherever a row of one of them takes part in the result.
//
// Plain data in the current memory context; what is said here of a function that can raise holds
// for all: REQUIRES: inside pg::call().
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

/// A table in FROM; a self join has two of them. Its number counts from 1, and is the varno of the
/// Vars that name its columns in what follows.
struct FlatSource {
  RangeTblEntry* entry;
  Node* permission;  // of the query that it stands in: its RTEPermissionInfo, from PostgreSQL 16 on
  Bitmapset*
      scope;  // numbers of the outer joins that may leave it out, by its being the other side
};

/// In a combination of rows that has a row of `from`, and that reaches the result or would without
/// an outer join's leaving that row out, `to` is a row's column as well and equal to it.
struct Equality {
  Var* from;
  Var* to;
};

/// `expression` is over the sources' columns; a Var of number 0 in it is what cannot be said so.
struct FlatOutput {
  int column;
  Node* expression;
  bool is_grouped;  // one of the grouping expressions
};

/// A comparison of a column with an expression of now() and constants.
struct FlatEdge {
  Var* column;
  Node* expression;
};

struct FlatQuery {
  List* sources;     // of FlatSource*
  List* outputs;     // of FlatOutput*, those that are the same for all rows of a group
  List* equalities;  // of Equality*
  List* edges;       // of FlatEdge*
  bool has_groups;
  const char* refusal;  // why no key can be derived, or null
  // What the equalities lead to, once key_columns.cpp has asked.
  struct ColumnGraph* graph;
};

/// Takes apart a query without WITH (engine/definition/with_queries.hpp) and set operations.
FlatQuery* flatten(Query* query);

/// The operator that a key of this type is compared by, or InvalidOid where it cannot be: the one
/// of its default B-tree operator class, where an array of the type exists and values that are
/// equal under the collation are so in every other respect that matters to grouping.
Oid key_equality(Oid type, Oid collation);

}  // namespace metrics_refresh::engine
