// The inside of flat_query.cpp: how the queries of a definition are put into one.
#pragma once

#include "engine/incremental/analysis/flat_query.hpp"

namespace metrics_refresh::engine::flattening {

// What an entry of a range table turned out to be.
struct Level;
struct Item {
  int source;        // number, or 0
  Level* subquery;   // or null
  Bitmapset* scope;  // of outer joins, in all of the query
};

// One query of those that were put into one.
struct Flattener;
struct Level {
  Query* query;
  Item* items;  // by varno
  Flattener* flattener;
};

struct Flattener {
  FlatQuery* result;
  int outer_joins;
  int nodes;  // that expressions over the sources' columns have come to

  Level* open(Query* query, Bitmapset* scope);
  void walk(Level* level, Node* node, Bitmapset* scope);
  void add_item(Level* level, int number, Bitmapset* scope);
  void add_relation(Level* level, int number, Bitmapset* scope);
  void add_subquery(Level* level, int number, Query* query, Bitmapset* scope);
  void walk_join(Level* level, JoinExpr* join, Bitmapset* scope);
  // Of an outer join: `outer` is its number; 0 for quals that every row has to pass.
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
