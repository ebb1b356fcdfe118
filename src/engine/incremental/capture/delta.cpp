#include "engine/incremental/capture/delta.hpp"

#include "engine/definition/functions.hpp"
#include "engine/incremental/capture/capture_dependencies.hpp"
#include "engine/incremental/capture/consumers.hpp"
#include "extension/own_schema.hpp"
#include "pg/compat_execution.hpp"

// A refresh trusts the captured keys only if all four triggers of each table exist, have the right
// arguments, and fire in all sessions. read_capture() checks this. It also returns a text of the
// versions of the catalog rows. The text is part of the view's fingerprint. So it is also detected
// if a trigger was disabled for a moment, or dropped and created again.
//
// take_delta() reads a delta table and deletes its rows in the same pass. If another transaction
// has deleted a row in the meantime, that transaction has refreshed the view with a newer snapshot.
// The refresh must then fail, because the keys are lost for its own snapshot.

namespace metrics_refresh::engine {
namespace {

struct Event {
  const char* name;
  int16 type;
};
constexpr Event kEvents[] = {{"insert", TRIGGER_TYPE_INSERT},
                             {"update", TRIGGER_TYPE_UPDATE},
                             {"delete", TRIGGER_TYPE_DELETE},
                             {"truncate", TRIGGER_TYPE_TRUNCATE}};

// pg_trigger stores the arguments as one string, each followed by a zero byte.
bool has_arguments(HeapTuple trigger, TupleDesc row, const char* delta, List* names) {
  StringInfoData wanted;
  initStringInfo(&wanted);
  appendBinaryStringInfo(&wanted, delta, static_cast<int>(strlen(delta) + 1));
  ListCell* cell;
  foreach (cell, names) {
    const char* name = static_cast<const char*>(lfirst(cell));
    appendBinaryStringInfo(&wanted, name, static_cast<int>(strlen(name) + 1));
  }
  bool is_null;
  const Datum value = heap_getattr(trigger, Anum_pg_trigger_tgargs, row, &is_null);
  if (is_null) return false;
  const bytea* arguments = DatumGetByteaPP(value);
  return VARSIZE_ANY_EXHDR(arguments) == static_cast<Size>(wanted.len) &&
         memcmp(VARDATA_ANY(arguments), wanted.data, static_cast<Size>(wanted.len)) == 0;
}

// Checks the trigger of one event. Returns the reason against it, or null.
const char* reason_against_trigger(HeapTuple tuple, TupleDesc row, const char* table,
                                   const char* delta, List* names) {
  const auto* const trigger = reinterpret_cast<Form_pg_trigger>(GETSTRUCT(tuple));
  // An origin trigger does not fire in sessions with session_replication_role = replica.
  if (trigger->tgenabled != TRIGGER_FIRES_ALWAYS)
    return psprintf("the trigger %s of the table %s is not enabled ALWAYS",
                    NameStr(trigger->tgname), table);
  if (trigger->tgfoid != capture_function())
    return psprintf("the trigger %s of the table %s calls another function",
                    NameStr(trigger->tgname), table);
  if (!has_arguments(tuple, row, delta, names))
    return psprintf(
        "the trigger %s of the table %s captures other columns than the definition needs",
        NameStr(trigger->tgname), table);
  return nullptr;
}

const char* reason_against_triggers(int64 id, int at, const KeyTable& table, StringInfo identity) {
  const char* name = get_rel_name(table.oid);
  const char* delta = delta_name(id, at);
  List* const names = captured_names(table);
  Relation const triggers = table_open(TriggerRelationId, AccessShareLock);
  const char* reason = nullptr;
  for (const Event& event : kEvents) {
    ScanKeyData keys[2];
    ScanKeyInit(&keys[0], Anum_pg_trigger_tgrelid, BTEqualStrategyNumber, F_OIDEQ,
                ObjectIdGetDatum(table.oid));
    NameData wanted;
    namestrcpy(&wanted, trigger_name(id, event.name));
    ScanKeyInit(&keys[1], Anum_pg_trigger_tgname, BTEqualStrategyNumber, F_NAMEEQ,
                NameGetDatum(&wanted));
    // The catalogs are read under the refresh's snapshot, as are the delta tables.
    SysScanDesc const scan =
        systable_beginscan(triggers, TriggerRelidNameIndexId, true, GetActiveSnapshot(), 2, keys);
    const HeapTuple tuple = systable_getnext(scan);
    const char* found =
        !HeapTupleIsValid(tuple)
            ? psprintf("the trigger %s of the table %s is missing", NameStr(wanted), name)
            : reason_against_trigger(tuple, RelationGetDescr(triggers), name, delta, names);
    // The remaining triggers are visited even if there is a reason: the text must cover all of
    // them.
    if (reason == nullptr) reason = found;
    if (HeapTupleIsValid(tuple)) append_version(identity, tuple);
    systable_endscan(scan);
  }
  table_close(triggers, AccessShareLock);
  return reason;
}

// A materialized view has no triggers. Its row in incremental_parent takes their place.
const char* reason_against_parent(int64 id, int at, const KeyTable& table, StringInfo identity) {
  const TransactionId row =
      parent_row_version(delta_name(id, at), table.oid, captured_names(table));
  appendStringInfo(identity, "%u ", row);
  if (TransactionIdIsValid(row)) return nullptr;
  return psprintf("the materialized view %s has no record that this view reads it",
                  get_rel_name(table.oid));
}

// Writers find columns by name. While a column is renamed, a trigger may capture another column
// that has its name.
void append_columns(const KeyTable& table, StringInfo identity) {
  Relation const columns = table_open(AttributeRelationId, AccessShareLock);
  ScanKeyData key;
  ScanKeyInit(&key, Anum_pg_attribute_attrelid, BTEqualStrategyNumber, F_OIDEQ,
              ObjectIdGetDatum(table.oid));
  SysScanDesc const scan =
      systable_beginscan(columns, AttributeRelidNumIndexId, true, GetActiveSnapshot(), 1, &key);
  for (HeapTuple tuple; HeapTupleIsValid(tuple = systable_getnext(scan));)
    if (const AttrNumber number = reinterpret_cast<Form_pg_attribute>(GETSTRUCT(tuple))->attnum;
        number > 0 && bms_is_member(number, table.columns))
      append_version(identity, tuple);
  systable_endscan(scan);
  table_close(columns, AccessShareLock);
}

const char* reason_against_table(int64 id, int at, const KeyTable& table, StringInfo identity) {
  append_columns(table, identity);
  return is_matview(table) ? reason_against_parent(id, at, table, identity)
                           : reason_against_triggers(id, at, table, identity);
}

void ignore_row(void*, TupleTableSlot*) {}

}  // namespace

const char* delta_name(int64 id, int at) {
  return psprintf("delta_" INT64_FORMAT "_%d", id, at + 1);
}

bool is_delta_name(const char* name) {
  // The widths of the format keep the numbers within their types.
  long long id = 0;
  int place = 0;
  return sscanf(name, "delta_%18lld_%9d", &id, &place) == 2 && place > 0 &&
         strcmp(name, delta_name(id, place - 1)) == 0;
}

const char* trigger_name(int64 id, const char* event) {
  return psprintf("metrics_refresh_" INT64_FORMAT "_%s", id, event);
}

bool is_matview(const KeyTable& table) { return get_rel_relkind(table.oid) == RELKIND_MATVIEW; }

Oid delta_oid(int64 id, int at) {
  return get_relname_relid(delta_name(id, at),
                           get_namespace_oid(extension::kInternalSchema, false));
}

List* captured_names(const KeyTable& table) {
  List* names = NIL;
  for (int column = -1; (column = bms_next_member(table.columns, column)) >= 0;)
    names = lappend(names, get_attname(table.oid, static_cast<AttrNumber>(column), false));
  return names;
}

CaptureState read_capture(int64 id, const Derivation& derivation) {
  StringInfoData identity;
  initStringInfo(&identity);
  CaptureState state = {};
  for (int at = 0; at < derivation.table_count; ++at) {
    const Oid delta = delta_oid(id, at);
    const char* reason =
        !OidIsValid(delta)
            ? psprintf("the delta table metrics_refresh_internal.%s is missing", delta_name(id, at))
            : reason_against_table(id, at, derivation.tables[at], &identity);
    appendStringInfo(&identity, "%u ", delta);
    if (state.reason == nullptr) state.reason = reason;
  }
  state.identity = identity.data;
  return state;
}

void take_delta(Oid oid, void (*visit)(void* context, TupleTableSlot* slot), void* context) {
  Relation const delta = table_open(oid, RowExclusiveLock);
  const CommandId command = GetCurrentCommandId(true);
  TupleTableSlot* const slot = table_slot_create(delta, nullptr);
  TableScanDesc const scan = pg::begin_scan(delta, GetActiveSnapshot());
  while (table_scan_getnextslot(scan, ForwardScanDirection, slot)) {
    CHECK_FOR_INTERRUPTS();
    visit(context, slot);
    // If the row is already deleted, a committed refresh did it: the view's lock excludes
    // concurrent ones.
    if (pg::delete_row(delta, &slot->tts_tid, command, GetActiveSnapshot()) != TM_Ok)
      ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                      errmsg("could not take the captured keys due to a concurrent refresh"),
                      errdetail("The transaction's snapshot is older than the last refresh."),
                      errhint("The refresh can be tried again.")));
  }
  table_endscan(scan);
  ExecDropSingleTupleTableSlot(slot);
  table_close(delta, NoLock);
}

bool was_truncated_since(Oid oid) {
  Relation const delta = table_open(oid, RowExclusiveLock);
  // TRUNCATE of the table is visible to every snapshot at once, but its row in the delta table is
  // not.
  Snapshot const latest = RegisterSnapshot(GetLatestSnapshot());
  TupleTableSlot* const slot = table_slot_create(delta, nullptr);
  TableScanDesc const scan = pg::begin_scan(delta, latest);
  // `whole` is the last column.
  const AttrNumber whole = RelationGetDescr(delta)->natts;
  bool found = false;
  while (!found && table_scan_getnextslot(scan, ForwardScanDirection, slot)) {
    CHECK_FOR_INTERRUPTS();
    bool is_null;
    (void)slot_getattr(slot, whole, &is_null);
    found = !is_null;
  }
  table_endscan(scan);
  ExecDropSingleTupleTableSlot(slot);
  UnregisterSnapshot(latest);
  table_close(delta, NoLock);
  return found;
}

void delete_captured(int64 id) {
  for (int at = 0;; ++at) {
    const Oid delta = delta_oid(id, at);
    if (!OidIsValid(delta)) return;
    take_delta(delta, ignore_row, nullptr);
  }
}

}  // namespace metrics_refresh::engine
