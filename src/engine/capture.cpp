#include "engine/capture.hpp"

#include "engine/seen_rows.hpp"
#include "shmem/captured.hpp"

namespace metrics_refresh::engine {
namespace {

struct Capture {
  Relation delta;
  int count;  // of columns
  AttrNumber* from;
  AttrNumber* to;  // 1, 2, …
  TupleTableSlot* row;
  TupleTableSlot* key;
  CommandId command;
  SeenRows seen;
  bool is_single;  // then nothing can come twice

  bool find_columns(const TriggerData* data);
  void put_whole();
  bool put_rows(Tuplestorestate* rows);
};

// False where the delta table does not have the columns that the trigger names.
bool Capture::find_columns(const TriggerData* data) {
  TupleDesc const row_type = RelationGetDescr(data->tg_relation);
  TupleDesc const key_type = RelationGetDescr(delta);
  const Trigger* trigger = data->tg_trigger;
  count = trigger->tgnargs - 1;
  if (key_type->natts != count + 1) return false;
  from = static_cast<AttrNumber*>(palloc(sizeof(AttrNumber) * static_cast<Size>(count + 1)));
  to = static_cast<AttrNumber*>(palloc(sizeof(AttrNumber) * static_cast<Size>(count + 1)));
  for (int i = 0; i < count; ++i) {
    from[i] = get_attnum(RelationGetRelid(data->tg_relation), trigger->tgargs[i + 1]);
    to[i] = static_cast<AttrNumber>(i + 1);
    if (from[i] <= 0 ||
        TupleDescAttr(row_type, from[i] - 1)->atttypid != TupleDescAttr(key_type, i)->atttypid)
      return false;
  }
  return true;
}

void Capture::put_whole() {
  TupleDesc const key_type = RelationGetDescr(delta);
  TupleTableSlot* const slot = table_slot_create(delta, nullptr);
  for (int i = 0; i < key_type->natts; ++i) {
    const bool is_last = i + 1 == key_type->natts;
    slot->tts_values[i] = BoolGetDatum(true);
    slot->tts_isnull[i] = !is_last;
  }
  ExecStoreVirtualTuple(slot);
  table_tuple_insert(delta, slot, command, 0, nullptr);
  ExecDropSingleTupleTableSlot(slot);
}

// False where there are too many.
bool Capture::put_rows(Tuplestorestate* rows) {
  const int reader = tuplestore_alloc_read_pointer(rows, EXEC_FLAG_REWIND);
  tuplestore_select_read_pointer(rows, reader);
  tuplestore_rescan(rows);
  while (tuplestore_gettupleslot(rows, true, false, row)) {
    CHECK_FOR_INTERRUPTS();
    ExecClearTuple(key);
    for (int i = 0; i < count; ++i)
      key->tts_values[i] = slot_getattr(row, from[i], &key->tts_isnull[i]);
    key->tts_isnull[count] = true;
    ExecStoreVirtualTuple(key);
    if (!is_single && !seen.add(key, to, count)) continue;
    if (seen.count() > kMaxCaptured) return false;
    table_tuple_insert(delta, key, command, 0, nullptr);
  }
  return true;
}

int64 rows_of(Tuplestorestate* rows) { return rows != nullptr ? tuplestore_tuple_count(rows) : 0; }

void capture_into(Relation delta, const TriggerData* data) {
  Capture capture{};
  capture.delta = delta;
  capture.command = GetCurrentCommandId(true);
  if (TRIGGER_FIRED_BY_TRUNCATE(data->tg_event) || !capture.find_columns(data))
    return capture.put_whole();
  capture.is_single = rows_of(data->tg_oldtable) + rows_of(data->tg_newtable) == 1;
  if (!capture.is_single) capture.seen.init();
  capture.row = MakeSingleTupleTableSlot(RelationGetDescr(data->tg_relation), &TTSOpsMinimalTuple);
  capture.key = table_slot_create(delta, nullptr);
  for (Tuplestorestate* const rows : {data->tg_oldtable, data->tg_newtable})
    if (rows != nullptr && !capture.put_rows(rows)) {
      capture.put_whole();
      break;
    }
  ExecDropSingleTupleTableSlot(capture.row);
  ExecDropSingleTupleTableSlot(capture.key);
}

}  // namespace

void capture_keys(const TriggerData* data) {
  const bool truncated = TRIGGER_FIRED_BY_TRUNCATE(data->tg_event);
  if (!truncated && rows_of(data->tg_oldtable) + rows_of(data->tg_newtable) == 0) return;
  const Oid schema = get_namespace_oid("metrics_refresh", true);
  const Oid oid =
      OidIsValid(schema) ? get_relname_relid(data->tg_trigger->tgargs[0], schema) : InvalidOid;
  Relation const delta = OidIsValid(oid) ? try_table_open(oid, RowExclusiveLock) : nullptr;
  if (delta == nullptr) return;
  const MemoryContext context =
      AllocSetContextCreate(CurrentMemoryContext, "metrics_refresh capture", ALLOCSET_SMALL_SIZES);
  const MemoryContext before = MemoryContextSwitchTo(context);
  capture_into(delta, data);
  MemoryContextSwitchTo(before);
  MemoryContextDelete(context);
  table_close(delta, NoLock);
  shmem::note_captured(RelationGetRelid(data->tg_relation));
}

}  // namespace metrics_refresh::engine
