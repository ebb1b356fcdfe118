#include "engine/key_set.hpp"

#include "engine/flat_query.hpp"

namespace metrics_refresh::engine {

void KeySet::init(TupleDesc types, bool nulls_match) {
  context_ = CurrentMemoryContext;
  types_ = types;
  nulls_match_ = nulls_match;
  slot_ = MakeSingleTupleTableSlot(types, &TTSOpsVirtual);
  const auto count = static_cast<Size>(types->natts);
  numbers_ = static_cast<AttrNumber*>(palloc(sizeof(AttrNumber) * count));
  values_ = static_cast<Values*>(palloc0(sizeof(Values) * count));
  seen_.init();
  for (int i = 0; i < types->natts; ++i) {
    numbers_[i] = static_cast<AttrNumber>(i + 1);
    values_[i].seen.init();
  }
}

void KeySet::add(const Datum* values, const bool* nulls) {
  if (!nulls_match_)
    for (int i = 0; i < types_->natts; ++i)
      if (nulls[i]) return;
  ExecClearTuple(slot_);
  for (int i = 0; i < types_->natts; ++i) {
    slot_->tts_values[i] = values[i];
    slot_->tts_isnull[i] = nulls[i];
  }
  ExecStoreVirtualTuple(slot_);
  if (!seen_.add(slot_, numbers_, types_->natts)) return;
  for (int i = 0; i < types_->natts; ++i) {
    // The hash of one column is read from its place in the whole row.
    if (nulls[i])
      values_[i].has_null = true;
    else if (values_[i].seen.add(slot_, numbers_ + i, 1))
      keep(i, values[i]);
  }
}

void KeySet::keep(int column, Datum value) {
  Values& kept = values_[column];
  const MemoryContext before = MemoryContextSwitchTo(context_);
  if (kept.count == kept.capacity) {
    kept.capacity = std::max(16, kept.capacity * 2);
    const Size size = sizeof(Datum) * static_cast<Size>(kept.capacity);
    kept.values = static_cast<Datum*>(kept.values == nullptr ? palloc(size)
                                                             : repalloc_huge(kept.values, size));
  }
  const Form_pg_attribute attribute = TupleDescAttr(types_, column);
  // Out of TOAST, for the row that it is from may go.
  if (attribute->attlen == -1) value = PointerGetDatum(PG_DETOAST_DATUM_COPY(value));
  kept.values[kept.count++] = datumCopy(value, attribute->attbyval, attribute->attlen);
  MemoryContextSwitchTo(before);
}

Node* KeySet::column_condition(int column, Node* expression) const {
  const Values& kept = values_[column];
  const Form_pg_attribute attribute = TupleDescAttr(types_, column);
  Node* any = nullptr;
  if (kept.count > 0) {
    const Oid collation = exprCollation(expression);
    const Oid equality = key_equality(attribute->atttypid, collation);
    Oid left;
    Oid right;
    op_input_types(equality, &left, &right);
    const Oid type = IsPolymorphicType(right) ? attribute->atttypid : right;
    if (!IsPolymorphicType(left) && left != exprType(expression))
      expression = reinterpret_cast<Node*>(makeRelabelType(
          reinterpret_cast<Expr*>(expression), left, -1, collation, COERCE_IMPLICIT_CAST));
    if (kept.count == 1) {
      Const* const value = makeConst(type, -1, collation, attribute->attlen, kept.values[0], false,
                                     attribute->attbyval);
      Expr* const single =
          make_opclause(equality, BOOLOID, false, reinterpret_cast<Expr*>(expression),
                        reinterpret_cast<Expr*>(value), InvalidOid, collation);
      set_opfuncid(reinterpret_cast<OpExpr*>(single));
      any = reinterpret_cast<Node*>(single);
    } else {
      ArrayType* const array = construct_array(kept.values, kept.count, type, attribute->attlen,
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
  if (!kept.has_null) return any;
  auto* const is_null = makeNode(NullTest);
  is_null->arg = reinterpret_cast<Expr*>(copyObjectImpl(expression));
  is_null->nulltesttype = IS_NULL;
  is_null->location = -1;
  if (any == nullptr) return reinterpret_cast<Node*>(is_null);
  return reinterpret_cast<Node*>(makeBoolExpr(OR_EXPR, list_make2(any, is_null), -1));
}

Node* KeySet::condition(List* columns) const {
  List* conditions = NIL;
  for (int i = 0; i < types_->natts; ++i)
    conditions = lappend(conditions, column_condition(i, static_cast<Node*>(list_nth(columns, i))));
  return reinterpret_cast<Node*>(make_ands_explicit(conditions));
}

}  // namespace metrics_refresh::engine
