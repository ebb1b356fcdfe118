#include "engine/incremental/apply/key_rules.hpp"

#include "engine/definition/definition.hpp"
#include "engine/definition/key_queries.hpp"
#include "engine/definition/tree.hpp"
#include "pg/server_memory.hpp"

// Rows come in from two places: captured rows of delta tables, and rows whose comparison with now()
// has changed. Each row is given to the rules of its table. A rule of rank 0 computes output
// columns from the row and adds them to a key set. A rule of a higher rank adds the row's join
// columns to a set of its own. follow_joins() then looks these up in the joined table and gives the
// rows that it finds to the rule of that table. It starts at the highest rank, so each table is
// read once.
//
// Example:
//   captured in sales (rank 1): shop = 3        -> joins = {3}
//   SELECT region FROM shops WHERE id = 3       -> 'north' for the rule of shops (rank 0)
//   condition() of the refresh                  -> region = 'north'

namespace metrics_refresh::engine {

void KeyRules::init(const Derivation& derivation, TupleDesc view, const char* text) {
  derivation_ = &derivation;
  view_ = view;
  text_ = text;
  state_ = CreateExecutorState();
  expressions_ = GetPerTupleExprContext(state_);
  rules_ = pg::make_array<Rule>(static_cast<Size>(derivation.source_count));
  for (int i = 0; i < derivation.source_count; ++i) {
    rules_[i].source = &derivation.sources[i];
    open(rules_[i]);
  }
}

void KeyRules::open(Rule& rule) {
  // The lock lasts until the transaction ends, so that the row type stays valid.
  Relation const table = table_open(rule.source->entry->relid, AccessShareLock);
  TupleDesc const row = CreateTupleDescCopy(RelationGetDescr(table));
  table_close(table, NoLock);
  rule.row = MakeSingleTupleTableSlot(row, &TTSOpsVirtual);
  if (rule.source->rank == 0) {
    ListCell* cell;
    foreach (cell, rule.source->keys) {
      auto* const expression =
          reinterpret_cast<Expr*>(static_cast<KeyColumn*>(lfirst(cell))->expression);
      rule.states = lappend(rule.states, ExecPrepareExpr(expression, state_));
    }
    rule.keys = keys_of(rule.source);
  } else {
    const int count = list_length(rule.source->joins);
    TupleDesc const types = CreateTemplateTupleDesc(count);
    for (int i = 0; i < count; ++i)
      TupleDescCopyEntry(types, static_cast<AttrNumber>(i + 1), row,
                         static_cast<JoinColumn*>(list_nth(rule.source->joins, i))->own);
    rule.joins.init(types, false);
  }
}

TupleDesc KeyRules::types_of(List* columns) const {
  TupleDesc const types = CreateTemplateTupleDesc(list_length(columns));
  for (int i = 0; i < list_length(columns); ++i)
    TupleDescCopyEntry(types, static_cast<AttrNumber>(i + 1), view_,
                       static_cast<AttrNumber>(list_nth_int(columns, i)));
  return types;
}

// Rules for the same output columns share a key set, so that one condition serves them all.
KeyRules::Keys* KeyRules::keys_of(const KeySource* source) {
  List* columns = NIL;
  ListCell* cell;
  foreach (cell, source->keys)
    columns = lappend_int(columns, static_cast<KeyColumn*>(lfirst(cell))->column);
  foreach (cell, keys_)
    if (equal(static_cast<Keys*>(lfirst(cell))->columns, columns))
      return static_cast<Keys*>(lfirst(cell));
  auto* const keys = pg::make<Keys>();
  keys->columns = columns;
  keys->set.init(types_of(columns), true);
  keys_ = lappend(keys_, keys);
  return keys;
}

void KeyRules::begin_table(int at) { table_ = &derivation_->tables[at]; }

// `slot` has exactly the columns of the set `columns`, in ascending order. They are put at their
// places in a row of the table, because the expressions of the rule refer to these.
void KeyRules::apply(Rule& rule, const Bitmapset* columns, TupleTableSlot* slot) {
  TupleTableSlot* const row = ExecStoreAllNullTuple(rule.row);
  int at = 0;
  for (int column = -1; (column = bms_next_member(columns, column)) >= 0; ++at) {
    row->tts_values[column - 1] = slot->tts_values[at];
    row->tts_isnull[column - 1] = slot->tts_isnull[at];
  }
  apply(rule);
}

void KeyRules::add_captured(TupleTableSlot* slot) {
  slot_getallattrs(slot);
  // The last column of a delta table is `whole`.
  const int last = slot->tts_tupleDescriptor->natts - 1;
  if (!slot->tts_isnull[last]) {
    wholly_changed_ = get_rel_name(table_->oid);
    return;
  }
  for (int i = 0; i < derivation_->source_count; ++i)
    if (rules_[i].source->entry->relid == table_->oid) apply(rules_[i], table_->columns, slot);
}

void KeyRules::apply(Rule& rule) {
  Datum values[kMaxKeyColumns];
  bool nulls[kMaxKeyColumns];
  int count = 0;
  ListCell* cell;
  if (rule.source->rank == 0) {
    // Each evaluation may allocate memory; the reset frees that of the previous row.
    ResetExprContext(expressions_);
    expressions_->ecxt_scantuple = rule.row;
    foreach (cell, rule.states) {
      values[count] = ExecEvalExprSwitchContext(static_cast<ExprState*>(lfirst(cell)), expressions_,
                                                &nulls[count]);
      ++count;
    }
    rule.keys->set.add(values, nulls);
  } else {
    foreach (cell, rule.source->joins) {
      const AttrNumber own = static_cast<JoinColumn*>(lfirst(cell))->own;
      values[count] = rule.row->tts_values[own - 1];
      nulls[count++] = rule.row->tts_isnull[own - 1];
    }
    rule.joins.add(values, nulls);
  }
}

bool KeyRules::may_continue(const Rule& rule) {
  // The rows that are looked up may all have the same key, so their number is limited as well.
  const int64 keys = rule.source->rank == 0 ? rule.keys->set.count() : rule.joins.count();
  has_too_many_ = has_too_many_ || keys > kMostKeys || ++looked_up_ > 10 * kMostKeys;
  return !has_too_many_;
}

// Reads the rows of the table that satisfy the condition, and gives each to the rule.
void KeyRules::look_up(Rule& rule, Node* condition) {
  const KeySource* source = rule.source;
  Receiver receiver = {receiver_calling([](TupleTableSlot* slot, DestReceiver* self) {
                         const auto* const own = reinterpret_cast<Receiver*>(self);
                         slot_getallattrs(slot);
                         own->rules->apply(*own->rule, own->rule->source->columns, slot);
                         return own->rules->may_continue(*own->rule);
                       }),
                       this, &rule};
  Query* const query =
      select_columns(source->entry, source->permission, source->columns, condition);
  // This runs with the permissions of the query that the table stands in: a plain view's owner may
  // be another role than the materialized view's.
  run_plan(plan_query(query, text_, true), &receiver.base, text_);
}

void KeyRules::follow_joins() {
  int highest = 0;
  for (int i = 0; i < derivation_->source_count; ++i)
    highest = std::max(highest, rules_[i].source->rank);
  // A join leads from a rank to a lower one. So no row is added to a rank that is already done.
  for (int rank = highest; rank > 0; --rank)
    for (int i = 0; i < derivation_->source_count; ++i) {
      const Rule& rule = rules_[i];
      if (has_too_many_ || wholly_changed_ != nullptr) return;
      if (rule.source->rank != rank || rule.joins.count() == 0) continue;
      Rule& other = rules_[rule.source->via];
      List* columns = NIL;
      ListCell* cell;
      foreach (cell, rule.source->joins)
        columns = lappend(columns, column_var(other.row->tts_tupleDescriptor,
                                              static_cast<JoinColumn*>(lfirst(cell))->theirs));
      look_up(other, rule.joins.condition(columns));
    }
}

namespace {

// Replaces now() by a constant, so that the expression can be evaluated for the time of the last
// refresh.
Node* replace_now(Node* node, void* context) {
  if (node == nullptr) return nullptr;
  const bool is_call =
      IsA(node, FuncExpr) && (reinterpret_cast<FuncExpr*>(node)->funcid == F_NOW ||
                              reinterpret_cast<FuncExpr*>(node)->funcid == F_TRANSACTION_TIMESTAMP);
  if (is_call || IsA(node, SQLValueFunction))
    return reinterpret_cast<Node*>(makeConst(
        TIMESTAMPTZOID, -1, InvalidOid, sizeof(TimestampTz),
        TimestampTzGetDatum(*static_cast<TimestampTz*>(context)), false, FLOAT8PASSBYVAL));
  return mutate_expression(node, replace_now, context);
}

// The catalogs are asked for the operator, because its OID depends on the strategy number only.
Node* compare(Var* column, int strategy, Datum value) {
  const Oid family = lookup_type_cache(TIMESTAMPTZOID, TYPECACHE_BTREE_OPFAMILY)->btree_opf;
  const Oid comparison =
      get_opfamily_member(family, TIMESTAMPTZOID, TIMESTAMPTZOID, static_cast<int16>(strategy));
  Const* const constant =
      makeConst(TIMESTAMPTZOID, -1, InvalidOid, sizeof(TimestampTz), value, false, FLOAT8PASSBYVAL);
  Expr* const expression =
      make_opclause(comparison, BOOLOID, false, reinterpret_cast<Expr*>(column),
                    reinterpret_cast<Expr*>(constant), InvalidOid, InvalidOid);
  set_opfuncid(reinterpret_cast<OpExpr*>(expression));
  return reinterpret_cast<Node*>(expression);
}

}  // namespace

// Returns the condition for rows whose column lies between the values of the expression at `from`
// and at `to`. Both ends are included. This may select too many rows, but it is right for <, <=, >
// and >=. If the expression was NULL at one of the two times only, then any row can be affected.
Node* KeyRules::changed_between(const KeySource* source, const KeyComparison* comparison,
                                TimestampTz from, TimestampTz to) {
  const TimestampTz nows[] = {from, to};
  Datum ends[2];
  bool nulls[2];
  for (int i = 0; i < 2; ++i) {
    TimestampTz now = nows[i];
    Node* const expression = replace_now(comparison->expression, &now);
    ends[i] = ExecEvalExprSwitchContext(
        ExecPrepareExpr(reinterpret_cast<Expr*>(expression), state_), expressions_, &nulls[i]);
  }
  if (nulls[0] && nulls[1]) return nullptr;
  if (nulls[0] || nulls[1]) {
    wholly_changed_ = get_rel_name(source->entry->relid);
    return nullptr;
  }
  if (DatumGetTimestampTz(ends[0]) > DatumGetTimestampTz(ends[1])) std::swap(ends[0], ends[1]);
  Rule& rule = rules_[source - derivation_->sources];
  TupleDesc const row = rule.row->tts_tupleDescriptor;
  return reinterpret_cast<Node*>(make_ands_explicit(list_make2(
      compare(column_var(row, comparison->column), BTGreaterEqualStrategyNumber, ends[0]),
      compare(column_var(row, comparison->column), BTLessEqualStrategyNumber, ends[1]))));
}

void KeyRules::add_changed_by_time(TimestampTz from, TimestampTz to) {
  if (from == to) return;
  for (int i = 0; i < derivation_->source_count; ++i) {
    ListCell* cell;
    foreach (cell, rules_[i].source->comparisons) {
      Node* const condition =
          changed_between(rules_[i].source, static_cast<KeyComparison*>(lfirst(cell)), from, to);
      if (condition != nullptr) look_up(rules_[i], condition);
    }
  }
}

int64 KeyRules::key_count() const {
  int64 count = 0;
  ListCell* cell;
  foreach (cell, keys_) count += static_cast<Keys*>(lfirst(cell))->set.count();
  return count;
}

// A row can be changed if its key is in one of the sets, so the conditions are combined by OR.
Node* KeyRules::condition() const {
  List* any = NIL;
  ListCell* cell;
  foreach (cell, keys_) {
    const auto* keys = static_cast<Keys*>(lfirst(cell));
    if (keys->set.count() == 0) continue;
    List* columns = NIL;
    ListCell* inner;
    foreach (inner, keys->columns) columns = lappend(columns, column_var(view_, lfirst_int(inner)));
    any = lappend(any, keys->set.condition(columns));
  }
  if (any == NIL) return nullptr;
  if (list_length(any) == 1) return static_cast<Node*>(linitial(any));
  return reinterpret_cast<Node*>(makeBoolExpr(OR_EXPR, any, -1));
}

}  // namespace metrics_refresh::engine
