// A set of distinct rows of a few columns. It builds the condition that selects these rows from a
// table or a query. The condition compares each column with the list of its values. The planner can
// push this form below GROUP BY and use it with indexes, unlike IN (SELECT ...). With several
// columns, the lists match more combinations than the set has. A function then checks the
// combination, provided that values of the types are equal only if all their bytes are. Otherwise
// the condition selects more rows than needed, which the rules of keys allow.
//
// REQUIRES: inside pg::call(); not moved after init(); the memory context of init() must live as
// long as the object.
#pragma once

#include "engine/diff/seen_rows.hpp"

namespace metrics_refresh::engine {

class KeySet {
 public:
  /// `types` describes the columns. If `nulls_match` is false, rows with a NULL are ignored,
  /// because they join nothing.
  void init(TupleDesc types, bool nulls_match);

  /// Copies the values.
  void add(const Datum* values, const bool* nulls);

  int64 count() const { return seen_.count(); }

  /// Returns whether the set has a row with the same bytes.
  bool has(const Datum* values, const bool* nulls);

  int column_count() const { return types_->natts; }
  Oid column_type(int column) const { return TupleDescAttr(types_, column)->atttypid; }

  /// Returns the set of this process with this number. Returns null if there is none, if the set
  /// has only one column, or if its types have equal values with different bytes.
  static KeySet* find(int64 number);

  /// Returns the condition over `columns`, which has one expression for each column. REQUIRES:
  /// count() > 0.
  Node* condition(List* columns) const;

 private:
  struct Values {
    SeenRows seen;
    Datum* values = nullptr;
    int count = 0;
    int capacity = 0;
    bool has_null = false;
  };

  void fill_slot(const Datum* values, const bool* nulls);
  void add_value(int column, Datum value);
  bool compares_by_bytes() const;
  bool is_product() const;
  void register_set();
  Node* column_condition(int column, Node* expression) const;
  Node* row_condition(List* columns) const;

  MemoryContext context_ = nullptr;
  TupleDesc types_ = nullptr;
  bool nulls_match_ = false;
  TupleTableSlot* slot_ = nullptr;
  AttrNumber* numbers_ = nullptr;  // 1, 2, …
  SeenRows seen_;
  Values* values_ = nullptr;  // by column
  int64 number_ = 0;          // for find(), or 0 if it does not return this set
  KeySet* next_ = nullptr;
  MemoryContextCallback at_end_ = {};
};

}  // namespace metrics_refresh::engine
