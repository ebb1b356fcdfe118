// A SELECT in a simpler form, from which keys can be derived. It lists the tables that the query
// reads, also through plain views and simple subqueries in FROM. It has the output columns as
// expressions over the columns of these tables. It also lists the equalities of columns that hold
// for the rows of the result.
//
// The structs are plain data in the current memory context. REQUIRES for all functions: inside
// pg::call().
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

/// A table in FROM. A self join has two sources. Sources are numbered from 1, and this number is
/// the varno of the Vars that name the columns of the source.
struct FlatSource {
  RangeTblEntry* entry;
  Node* permission;  // RTEPermissionInfo of its query, from PostgreSQL 16 on
  Bitmapset*
      scope;  // numbers of the outer joins that may leave it out, by its being the other side
};

/// If a combination of rows has a row of `from`, then it also has a row of `to`, and both columns
/// are equal. A combination counts even if an outer join replaces one of its rows by NULL.
struct Equality {
  Var* from;
  Var* to;
};

/// `expression` is over the columns of the sources. A Var with the number 0 stands for a part that
/// cannot be expressed by them.
struct FlatOutput {
  int column;
  Node* expression;
  bool is_grouped;  // one of the grouping expressions
};

/// A comparison of a column with an expression of now() and constants.
struct FlatComparison {
  Var* column;
  Node* expression;
};

struct FlatQuery {
  List* sources;      // of FlatSource*
  List* outputs;      // of FlatOutput*, only those that are equal in all rows of a group
  List* equalities;   // of Equality*
  List* comparisons;  // of FlatComparison*
  bool has_groups;
  const char* reason;  // why no key can be derived, or null
  // The transitive closure of the equalities. key_columns.cpp computes it when it is first needed.
  struct ColumnGraph* graph;
};

/// Requires a query without WITH (see engine/definition/with_queries.hpp) and without set
/// operations. Sets `reason` if the query cannot be flattened.
FlatQuery* flatten(Query* query);

/// Returns the operator that compares keys of this type, or InvalidOid if the type cannot be a key.
/// It is the equality of the default B-tree operator class. The type needs an array type and a
/// deterministic collation, so that equal values also belong to the same group.
Oid key_equality(Oid type, Oid collation);

}  // namespace metrics_refresh::engine
