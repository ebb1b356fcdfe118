#include "engine/incremental/capture/capture.hpp"

#include "engine/incremental/capture/key_writer.hpp"
#include "pg/maintenance.hpp"
#include "shmem/change_watch.hpp"

// The trigger fires once for each statement, with transition tables of the old and the new rows.
// Both are read, because an UPDATE can move a row from one key to another. The writer stores each
// distinct key once. TRUNCATE has no transition tables, so it counts as a change of all rows.

namespace metrics_refresh::engine {
namespace {

void put_rows(KeyWriter& writer, Tuplestorestate* rows, TupleTableSlot* row, bool only_row) {
  // A transition table can be shared by several triggers, so this needs a read position of its own.
  const int reader = tuplestore_alloc_read_pointer(rows, EXEC_FLAG_REWIND);
  tuplestore_select_read_pointer(rows, reader);
  tuplestore_rescan(rows);
  while (tuplestore_gettupleslot(rows, true, false, row)) {
    CHECK_FOR_INTERRUPTS();
    writer.put(row, only_row);
  }
}

int64 rows_of(Tuplestorestate* rows) { return rows != nullptr ? tuplestore_tuple_count(rows) : 0; }

void capture_into(KeyWriter& writer, const TriggerData* data) {
  if (TRIGGER_FIRED_BY_TRUNCATE(data->tg_event)) return writer.put_whole();
  const bool only_row = rows_of(data->tg_oldtable) + rows_of(data->tg_newtable) == 1;
  TupleTableSlot* const row =
      MakeSingleTupleTableSlot(RelationGetDescr(data->tg_relation), &TTSOpsMinimalTuple);
  for (Tuplestorestate* const rows : {data->tg_oldtable, data->tg_newtable})
    if (rows != nullptr) put_rows(writer, rows, row, only_row);
  ExecDropSingleTupleTableSlot(row);
}

}  // namespace

void capture_keys(const TriggerData* data) {
  // In this mode, no change is captured. The change counts start again with the next normal server
  // start, so the next refresh compares all rows.
  if (pg::is_maintenance_mode()) return;
  const Trigger* trigger = data->tg_trigger;
  // A statement that finds no row still counts as a change of the table, because of its lock. It is
  // reported as captured, so that it does not look like a change that bypassed the triggers.
  if (!TRIGGER_FIRED_BY_TRUNCATE(data->tg_event) &&
      rows_of(data->tg_oldtable) + rows_of(data->tg_newtable) == 0)
    return shmem::note_captured(RelationGetRelid(data->tg_relation));
  // Nothing is freed here: the server resets the memory context of a trigger call.
  KeyWriter writer{};
  if (writer.open(data->tg_relation, trigger->tgargs[0], trigger->tgargs + 1,
                  trigger->tgnargs - 1)) {
    capture_into(writer, data);
    writer.close();
    shmem::note_captured(RelationGetRelid(data->tg_relation));
  }
}

}  // namespace metrics_refresh::engine
