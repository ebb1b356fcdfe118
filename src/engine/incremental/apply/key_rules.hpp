// The rules of a derivation applied to what was captured: from rows of the tables, changed or
// joined by changed ones, to the condition that picks all output rows that could have changed.
//
// REQUIRES: inside pg::call(), where the view's owner acts; value-initialized before init(), and
// the memory context of init() as long as it is used.
#pragma once

#include "engine/incremental/analysis/key_derivation.hpp"
#include "engine/incremental/apply/key_set.hpp"

namespace metrics_refresh::engine {

/// Beyond so many keys not even an estimate is made: the lists would be long themselves.
inline constexpr int64 kMostKeys = 200'000;

class KeyRules {
 public:
  void init(const Derivation& derivation, TupleDesc view, const char* text);

  /// Rows of a delta table, that of the place `at`.
  void begin_table(int at);
  void add_captured(TupleTableSlot* slot);

  /// Rows whose part in the view changed by time, from one now() to the other; or a whole table.
  void add_passed(TimestampTz from, TimestampTz to);

  /// Looks up what joins the rows that were added. None may be added after that.
  void follow_joins();

  /// A table of which all rows may have changed, or null.
  const char* whole_table() const { return whole_; }
  /// Of tables that say keys themselves; known after follow_joins().
  int64 key_count() const;
  /// So many rows were found that it is not worthwhile to go on; then not all of them are known.
  bool has_too_many() const { return has_too_many_; }

  /// Null where there is no key.
  Node* condition() const;

 private:
  struct Keys {  // of one set of output columns
    List* columns;
    KeySet set;
  };
  struct Rule {
    const KeySource* source;
    TupleTableSlot* row;  // as the table has it, with the columns that the rule needs
    List* states;         // of rank 0: ExprState* of each key column
    Keys* keys;           // of rank 0
    KeySet joins;         // of a higher rank: values to look up
  };
  struct Receiver {
    DestReceiver base;
    KeyRules* rules;
    Rule* rule;
  };

  void open(Rule& rule);
  Keys* keys_of(const KeySource* source);
  TupleDesc types_of(List* columns) const;
  void apply(Rule& rule);
  void take(Rule& rule, const Bitmapset* columns, TupleTableSlot* slot);
  void look_up(Rule& rule, Node* condition);
  bool goes_on(const Rule& rule);
  Node* passed(const KeySource* source, const KeyEdge* edge, TimestampTz from, TimestampTz to);

  const Derivation* derivation_;
  TupleDesc view_;
  const char* text_;
  EState* state_;
  ExprContext* expressions_;
  Rule* rules_;
  List* keys_;  // of Keys*
  const KeyTable* table_;
  const char* whole_;
  int64 looked_up_;
  bool has_too_many_;
};

}  // namespace metrics_refresh::engine
