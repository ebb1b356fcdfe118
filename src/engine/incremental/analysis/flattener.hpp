// The internal types of flat_query.cpp.
#pragma once

#include "engine/incremental/analysis/flat_query.hpp"

namespace metrics_refresh::engine::flattening {

// The meaning of one range table entry: a source, a subquery, or neither.
struct Level;
struct Item {
  int source;        // number of the source, or 0
  Level* subquery;   // or null
  Bitmapset* scope;  // outer joins that can replace its row by NULL
};

// One of the queries that are merged: the definition, a plain view or a subquery.
struct Flattener;
struct Level {
  Query* query;
  Item* items;  // by varno
  Flattener* flattener;
};

struct Flattener {
  FlatQuery* result;
  int outer_joins;
  int nodes;  // nodes that were visited while expressions were resolved

  Level* open(Query* query, Bitmapset* scope);
  void walk(Level* level, Node* node, Bitmapset* scope);
  void add_item(Level* level, int number, Bitmapset* scope);
  void add_relation(Level* level, int number, Bitmapset* scope);
  void add_subquery(Level* level, int number, Query* query, Bitmapset* scope);
  void walk_join(Level* level, JoinExpr* join, Bitmapset* scope);
  // `outer` is the number of the outer join that has these quals, or 0 if every row must pass them.
  void add_quals(Level* level, Node* quals, int outer);
  void add_equality(Level* level, OpExpr* expression, int outer);
  void add_directed(Var* from, Var* to, int outer);
  void add_edges(Level* level);
  bool is_within(const Var* var, int outer) const {
    return bms_is_member(
        outer, static_cast<FlatSource*>(list_nth(result->sources, var->varno - 1))->scope);
  }
  void refuse(const char* why) {
    if (result->refusal == nullptr) result->refusal = why;
  }
};

}  // namespace metrics_refresh::engine::flattening
