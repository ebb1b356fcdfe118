// Applies the rules of a derivation. The input is captured rows of the tables; the result is the
// condition for all output rows that may have changed.
//
// REQUIRES: inside pg::call(), with the rights of the view's owner; the memory context of init()
// must live as long as the object.
#pragma once

#include "engine/incremental/analysis/key_derivation.hpp"
#include "engine/incremental/apply/key_set.hpp"

namespace metrics_refresh::engine {

/// If there are more keys than this, no plan is made to compare costs: the condition alone would be
/// too long to plan.
inline constexpr int64 kMostKeys = 200'000;

class KeyRules {
 public:
  void init(const Derivation& derivation, TupleDesc view, const char* text);

  /// Starts with the rows of the delta table with index `at`.
  void begin_table(int at);
  void add_captured(TupleTableSlot* slot);

  /// Adds the rows whose comparison with now() has changed from one time to the other, or marks a
  /// whole table as changed.
  void add_changed_by_time(TimestampTz from, TimestampTz to);

  /// Looks up the rows that join the added rows. REQUIRES: no row is added afterwards.
  void follow_joins();

  /// A table of which any row may have changed, or null.
  const char* wholly_changed_table() const { return wholly_changed_; }
  /// The number of keys. Complete only after follow_joins().
  int64 key_count() const;
  /// True if so many rows were found that the search was stopped. Then the keys are incomplete.
  bool has_too_many() const { return has_too_many_; }

  /// The condition over the view's columns; null if there is no key.
  Node* condition() const;

 private:
  struct Keys {  // the keys of one list of output columns
    List* columns = nullptr;
    KeySet set;
  };
  struct Rule {
    const KeySource* source = nullptr;
    TupleTableSlot* row = nullptr;  // a row of the table, with the columns that the rule needs
    List* states = nullptr;         // for rank 0: ExprState* of each key column
    Keys* keys = nullptr;           // for rank 0
    KeySet joins;                   // for a higher rank: values to look up
  };
  struct Receiver {
    DestReceiver base = {};
    KeyRules* rules = nullptr;
    Rule* rule = nullptr;
  };

  void open(Rule& rule);
  Keys* keys_of(const KeySource* source);
  TupleDesc types_of(List* columns) const;
  void apply(Rule& rule);
  void apply(Rule& rule, const Bitmapset* columns, TupleTableSlot* slot);
  void look_up(Rule& rule, Node* condition);
  bool may_continue(const Rule& rule);
  Node* changed_between(const KeySource* source, const KeyComparison* comparison, TimestampTz from,
                        TimestampTz to);

  const Derivation* derivation_ = nullptr;
  TupleDesc view_ = nullptr;
  const char* text_ = nullptr;
  EState* state_ = nullptr;
  ExprContext* expressions_ = nullptr;
  Rule* rules_ = nullptr;
  List* keys_ = nullptr;  // of Keys*
  const KeyTable* table_ = nullptr;
  const char* wholly_changed_ = nullptr;
  int64 looked_up_ = 0;
  bool has_too_many_ = false;
};

}  // namespace metrics_refresh::engine
