// Distinct rows of a few columns, and the condition that picks them from a table or a query: each
// column is among the values that it has in one of the rows. That is more than these rows, which
// the rules of keys allow, and a form that the planner takes below GROUP BY and into indexes, as it
// does not with IN (SELECT …).
//
// REQUIRES: inside pg::call(); value-initialized before init(), and the memory context of init() as
// long as it is used.
#pragma once

#include "engine/seen_rows.hpp"

namespace metrics_refresh::engine {

class KeySet {
 public:
  /// `types` describes the columns. Where `nulls_match` is not set, a row with a NULL is no key: it
  /// joins nothing.
  void init(TupleDesc types, bool nulls_match);

  /// Copies what it keeps.
  void add(const Datum* values, const bool* nulls);

  int64 count() const { return seen_.count(); }

  /// The condition over `columns`, an expression for each. REQUIRES: count() > 0.
  Node* condition(List* columns) const;

 private:
  struct Values {
    SeenRows seen;
    Datum* values;
    int count;
    int capacity;
    bool has_null;
  };

  void keep(int column, Datum value);
  Node* column_condition(int column, Node* expression) const;

  MemoryContext context_;
  TupleDesc types_;
  bool nulls_match_;
  TupleTableSlot* slot_;
  AttrNumber* numbers_;  // 1, 2, …
  SeenRows seen_;
  Values* values_;  // by column
};

}  // namespace metrics_refresh::engine
