#include "engine/incremental/apply/key_set.hpp"

#include "engine/definition/equal_images.hpp"
#include "engine/incremental/analysis/flat_query.hpp"
#include "pg/server_memory.hpp"

// A set stores its rows as hashes, and the distinct values of each column. The condition is built
// from the values: each column is compared with its list. For several columns, the lists alone also
// match combinations that no row has. In that case the condition also calls a function that looks
// the whole combination up in the set. The function finds the set by a number, because a set is too
// large to be a constant in a query.
//
// Example: the keys (1, 'a') and (2, 'b') give the condition
//   x = ANY ('{1,2}') AND y = ANY ('{a,b}') AND metrics_refresh.is_changed_key(7, x, y)
//   -> selects (1, 'a'), but not (1, 'b')

namespace metrics_refresh::engine {
namespace {

// The function that a condition calls for a combination of columns.
constexpr char kSchema[] = "metrics_refresh";
constexpr char kFunction[] = "is_changed_key";

// The sets of this process that find() can return. A set leaves the list when its memory context is
// reset, so an error that ends a refresh leaves no dangling pointer.
KeySet* first_set = nullptr;
int64 last_number = 0;

}  // namespace

void KeySet::init(TupleDesc types, bool nulls_match) {
  context_ = CurrentMemoryContext;
  types_ = types;
  nulls_match_ = nulls_match;
  slot_ = MakeSingleTupleTableSlot(types, &TTSOpsVirtual);
  const auto count = static_cast<Size>(types->natts);
  numbers_ = static_cast<AttrNumber*>(palloc(sizeof(AttrNumber) * count));
  values_ = pg::make_array<Values>(count);
  seen_.init();
  for (int i = 0; i < types->natts; ++i) {
    numbers_[i] = static_cast<AttrNumber>(i + 1);
    values_[i].seen.init();
  }
  // A single column needs no look-up of combinations.
  if (types->natts > 1 && compares_by_bytes()) register_set();
}

bool KeySet::compares_by_bytes() const {
  for (int i = 0; i < types_->natts; ++i)
    if (!has_equal_images(column_type(i), TupleDescAttr(types_, i)->attcollation)) return false;
  return true;
}

void KeySet::register_set() {
  number_ = ++last_number;
  next_ = first_set;
  first_set = this;
  at_end_.arg = this;
  at_end_.func = [](void* ended) {
    KeySet** at = &first_set;
    while (*at != ended) at = &(*at)->next_;
    *at = (*at)->next_;
  };
  MemoryContextRegisterResetCallback(context_, &at_end_);
}

KeySet* KeySet::find(int64 number) {
  KeySet* set = first_set;
  while (set != nullptr && set->number_ != number) set = set->next_;
  return set;
}

void KeySet::fill_slot(const Datum* values, const bool* nulls) {
  ExecClearTuple(slot_);
  for (int i = 0; i < types_->natts; ++i) {
    slot_->tts_values[i] = values[i];
    slot_->tts_isnull[i] = nulls[i];
  }
  ExecStoreVirtualTuple(slot_);
}

bool KeySet::has(const Datum* values, const bool* nulls) {
  fill_slot(values, nulls);
  return seen_.has(slot_, numbers_, types_->natts);
}

void KeySet::add(const Datum* values, const bool* nulls) {
  // A NULL in a join column equals nothing, so such a row joins nothing.
  if (!nulls_match_)
    for (int i = 0; i < types_->natts; ++i)
      if (nulls[i]) return;
  fill_slot(values, nulls);
  if (!seen_.add(slot_, numbers_, types_->natts)) return;
  for (int i = 0; i < types_->natts; ++i) {
    // The hash of a single column is computed from its place in the row.
    if (nulls[i])
      values_[i].has_null = true;
    else if (values_[i].seen.add(slot_, numbers_ + i, 1))
      add_value(i, values[i]);
  }
}

void KeySet::add_value(int column, Datum value) {
  Values& of_column = values_[column];
  const MemoryContext before = MemoryContextSwitchTo(context_);
  if (of_column.count == of_column.capacity) {
    of_column.capacity = std::max(16, of_column.capacity * 2);
    const Size size = sizeof(Datum) * static_cast<Size>(of_column.capacity);
    of_column.values = static_cast<Datum*>(
        of_column.values == nullptr ? palloc(size) : repalloc_huge(of_column.values, size));
  }
  const Form_pg_attribute attribute = TupleDescAttr(types_, column);
  // A copy without TOAST pointers, because the row that they belong to can be deleted.
  if (attribute->attlen == -1) value = PointerGetDatum(PG_DETOAST_DATUM_COPY(value));
  of_column.values[of_column.count++] = datumCopy(value, attribute->attbyval, attribute->attlen);
  MemoryContextSwitchTo(before);
}

// Builds the condition as the parser would have built it. The operator of the type may be declared
// for another, binary-compatible type (varchar uses that of text) or for a polymorphic type
// (enums).
Node* KeySet::column_condition(int column, Node* expression) const {
  const Values& of_column = values_[column];
  const Form_pg_attribute attribute = TupleDescAttr(types_, column);
  Node* any = nullptr;
  if (of_column.count > 0) {
    const Oid collation = exprCollation(expression);
    const Oid equality = key_equality(attribute->atttypid, collation);
    Oid left;
    Oid right;
    op_input_types(equality, &left, &right);
    const Oid type = IsPolymorphicType(right) ? attribute->atttypid : right;
    if (!IsPolymorphicType(left) && left != exprType(expression))
      expression = reinterpret_cast<Node*>(makeRelabelType(
          reinterpret_cast<Expr*>(expression), left, -1, collation, COERCE_IMPLICIT_CAST));
    // A single value is compared by =, for which the planner has better estimates than for an
    // array.
    if (of_column.count == 1) {
      Const* const value = makeConst(type, -1, collation, attribute->attlen, of_column.values[0],
                                     false, attribute->attbyval);
      Expr* const single =
          make_opclause(equality, BOOLOID, false, reinterpret_cast<Expr*>(expression),
                        reinterpret_cast<Expr*>(value), InvalidOid, collation);
      set_opfuncid(reinterpret_cast<OpExpr*>(single));
      any = reinterpret_cast<Node*>(single);
    } else {
      ArrayType* const array =
          construct_array(of_column.values, of_column.count, type, attribute->attlen,
                          attribute->attbyval, attribute->attalign);
      auto* const among = makeNode(ScalarArrayOpExpr);
      among->opno = equality;
      among->opfuncid = get_opcode(equality);
      among->useOr = true;
      among->inputcollid = collation;
      among->args = list_make2(expression, makeConst(get_array_type(type), -1, collation, -1,
                                                     PointerGetDatum(array), false, false));
      among->location = -1;
      any = reinterpret_cast<Node*>(among);
    }
  }
  // = never matches NULL, so NULL as a key value needs its own test.
  if (!of_column.has_null) return any;
  auto* const is_null = makeNode(NullTest);
  is_null->arg = reinterpret_cast<Expr*>(copyObjectImpl(expression));
  is_null->nulltesttype = IS_NULL;
  is_null->location = -1;
  if (any == nullptr) return reinterpret_cast<Node*>(is_null);
  return reinterpret_cast<Node*>(makeBoolExpr(OR_EXPR, list_make2(any, is_null), -1));
}

// Returns whether the set contains every combination of the columns' values. If so, the lists are
// exact.
bool KeySet::is_product() const {
  double combinations = 1;
  for (int i = 0; i < types_->natts; ++i)
    combinations *= values_[i].count + (values_[i].has_null ? 1 : 0);
  return combinations <= static_cast<double>(count());
}

// A column may be of a type that is binary compatible with the type of the set, such as varchar and
// text. It is relabeled, because the function compares types exactly.
Node* KeySet::row_condition(List* columns) const {
  Const* const number = makeConst(INT8OID, -1, InvalidOid, sizeof(int64), Int64GetDatum(number_),
                                  false, FLOAT8PASSBYVAL);
  const Oid types[] = {INT8OID, ANYOID};
  const Oid function = LookupFuncName(
      list_make2(makeString(pstrdup(kSchema)), makeString(pstrdup(kFunction))), 2, types, false);
  List* arguments = list_make1(number);
  for (int i = 0; i < types_->natts; ++i) {
    Node* column = static_cast<Node*>(list_nth(columns, i));
    if (exprType(column) != column_type(i))
      column =
          reinterpret_cast<Node*>(makeRelabelType(reinterpret_cast<Expr*>(column), column_type(i),
                                                  -1, exprCollation(column), COERCE_IMPLICIT_CAST));
    arguments = lappend(arguments, column);
  }
  return reinterpret_cast<Node*>(
      makeFuncExpr(function, BOOLOID, arguments, InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL));
}

Node* KeySet::condition(List* columns) const {
  List* conditions = NIL;
  for (int i = 0; i < types_->natts; ++i)
    conditions = lappend(conditions, column_condition(i, static_cast<Node*>(list_nth(columns, i))));
  if (number_ != 0 && !is_product()) conditions = lappend(conditions, row_condition(columns));
  return reinterpret_cast<Node*>(make_ands_explicit(conditions));
}

}  // namespace metrics_refresh::engine
