// Distinct rows of a few columns, and the condition that picks them from a table or a query: each
// column is among the values that it has in one of the rows, a form that the planner takes below
// GROUP BY and into indexes, as it does not with IN (SELECT …). Of several columns that says more
// combinations than there are, so a function looks at the whole as well, where values of the
// columns' types are equal only if all their bytes are. What is more the rules of keys allow.
//
// REQUIRES: inside pg::call(); value-initialized before init(), where it stays, and the memory
// context of init() as long as it is used.
#pragma once

#include "engine/diff/seen_rows.hpp"

namespace metrics_refresh::engine {

class KeySet {
 public:
  /// `types` describes the columns. Where `nulls_match` is not set, a row with a NULL is no key: it
  /// joins nothing.
  void init(TupleDesc types, bool nulls_match);

  /// Copies what it keeps.
  void add(const Datum* values, const bool* nulls);

  int64 count() const { return seen_.count(); }

  /// Whether it has a row that is the same in every byte.
  bool has(const Datum* values, const bool* nulls);

  int column_count() const { return types_->natts; }
  Oid column_type(int column) const { return TupleDescAttr(types_, column)->atttypid; }

  /// The one of this number in this process; null where there is none, or it has one column, or
  /// values that are equal without being the same in every byte.
  static KeySet* find(int64 number);

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

  void fill_slot(const Datum* values, const bool* nulls);
  void keep(int column, Datum value);
  bool is_told_by_bytes() const;
  bool is_product() const;
  void enlist();
  Node* column_condition(int column, Node* expression) const;
  Node* row_condition(List* columns) const;

  MemoryContext context_;
  TupleDesc types_;
  bool nulls_match_;
  TupleTableSlot* slot_;
  AttrNumber* numbers_;  // 1, 2, …
  SeenRows seen_;
  Values* values_;  // by column
  int64 number_;    // of those that can be found; else 0
  KeySet* next_;
  MemoryContextCallback at_end_;
};

}  // namespace metrics_refresh::engine
