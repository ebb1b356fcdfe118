#include "pg/row_insert.hpp"

#include "pg/compat_execution.hpp"

namespace metrics_refresh::pg {
namespace {

void fill(TupleTableSlot* slot, const std::vector<Param>& columns) {
  const TupleDesc description = slot->tts_tupleDescriptor;
  if (static_cast<std::size_t>(description->natts) != columns.size())
    elog(ERROR, "a row of %zu columns for a table of %d", columns.size(), description->natts);
  ExecClearTuple(slot);
  for (int i = 0; i < description->natts; ++i) {
    const Param& column = columns[static_cast<std::size_t>(i)];
    if (column.type() != TupleDescAttr(description, i)->atttypid)
      elog(ERROR, "column %d of the table has another type", i + 1);
    slot->tts_isnull[i] = column.is_null();
    slot->tts_values[i] = column.is_null() ? Datum{0} : column.datum();
  }
  ExecStoreVirtualTuple(slot);
}

}  // namespace

void insert_row(Relation table, const std::vector<Param>& columns) {
  call([table, &columns] {
    EState* const state = CreateExecutorState();
    ResultRelInfo* const target = makeNode(ResultRelInfo);
    InitResultRelInfo(target, table, 0, nullptr, 0);
    ExecOpenIndices(target, false);
    TupleTableSlot* const slot = table_slot_create(table, nullptr);
    fill(slot, columns);
    table_tuple_insert(table, slot, GetCurrentCommandId(true), 0, nullptr);
    if (target->ri_NumIndices > 0) insert_index_entries(target, slot, state, false);
    ExecCloseIndices(target);
    ExecDropSingleTupleTableSlot(slot);
    FreeExecutorState(state);
    // The following statements of the transaction see the row.
    CommandCounterIncrement();
  });
}

}  // namespace metrics_refresh::pg
