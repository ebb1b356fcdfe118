#include "engine/incremental/capture/consumers.hpp"

#include "extension/own_schema.hpp"
#include "pg/compat_execution.hpp"
#include "pg/server_memory.hpp"
#include "shmem/change_watch.hpp"

// A materialized view cannot have triggers. Therefore the table incremental_parent has a row for
// each delta table of a view that reads it. A refresh of the materialized view writes into these
// delta tables. The table is read with the table access method, without SQL: this also runs in
// backends of roles without any privilege on it, at core's REFRESH.

namespace metrics_refresh::engine {
namespace {

// Column numbers of incremental_parent, as the install script creates it.
constexpr AttrNumber kDelta = 1;
constexpr AttrNumber kColumns = 2;
constexpr AttrNumber kViewOid = 5;

Relation open_table() { return extension::open_own_table("incremental_parent", AccessShareLock); }

const char* text_of(TupleTableSlot* slot, AttrNumber column) {
  bool is_null;
  return TextDatumGetCString(slot_getattr(slot, column, &is_null));
}

Oid view_of(TupleTableSlot* slot) {
  bool is_null;
  return DatumGetObjectId(slot_getattr(slot, kViewOid, &is_null));
}

List* columns_of(TupleTableSlot* slot) {
  bool is_null;
  Datum* values;
  int count;
  deconstruct_array(DatumGetArrayTypeP(slot_getattr(slot, kColumns, &is_null)), TEXTOID, -1, false,
                    TYPALIGN_INT, &values, nullptr, &count);
  List* columns = NIL;
  for (int i = 0; i < count; ++i) columns = lappend(columns, TextDatumGetCString(values[i]));
  return columns;
}

template <typename Visit>
void for_each_row(Relation table, Snapshot snapshot, Visit visit) {
  TupleTableSlot* const slot = table_slot_create(table, nullptr);
  TableScanDesc const scan = pg::begin_scan(table, snapshot);
  while (table_scan_getnextslot(scan, ForwardScanDirection, slot)) visit(slot);
  table_endscan(scan);
  ExecDropSingleTupleTableSlot(slot);
}

bool are_same(List* a, List* b) {
  if (list_length(a) != list_length(b)) return false;
  for (int i = 0; i < list_length(a); ++i)
    if (strcmp(static_cast<char*>(list_nth(a, i)), static_cast<char*>(list_nth(b, i))) != 0)
      return false;
  return true;
}

}  // namespace

// The latest snapshot is used, not that of the refresh. A view that was set up in the meantime has
// captured nothing yet, and it must not miss the rows that this refresh writes.
void Consumers::open(Relation view) {
  Relation const table = open_table();
  if (table == nullptr) return;
  Snapshot const latest = RegisterSnapshot(GetLatestSnapshot());
  for_each_row(table, latest, [&](TupleTableSlot* slot) {
    if (view_of(slot) != RelationGetRelid(view)) return;
    List* const columns = columns_of(slot);
    auto** const names =
        static_cast<char**>(palloc(sizeof(char*) * static_cast<Size>(list_length(columns) + 1)));
    for (int i = 0; i < list_length(columns); ++i)
      names[i] = static_cast<char*>(list_nth(columns, i));
    auto* const writer = pg::make<KeyWriter>();
    if (writer->open(view, text_of(slot, kDelta), names, list_length(columns)))
      writers_ = lappend(writers_, writer);
  });
  // The change of this view counts as captured for the views that read it.
  if (any()) shmem::note_captured(RelationGetRelid(view));
  UnregisterSnapshot(latest);
  table_close(table, AccessShareLock);
}

void Consumers::put(TupleTableSlot* row) {
  ListCell* cell;
  foreach (cell, writers_) static_cast<KeyWriter*>(lfirst(cell))->put(row);
}

void Consumers::put_whole() {
  ListCell* cell;
  foreach (cell, writers_) static_cast<KeyWriter*>(lfirst(cell))->put_whole();
}

void Consumers::close() {
  ListCell* cell;
  foreach (cell, writers_) static_cast<KeyWriter*>(lfirst(cell))->close();
}

void capture_core_refresh(Oid oid) {
  Relation const view = table_open(oid, NoLock);
  // Core does not report the rows that it wrote.
  Consumers consumers;
  consumers.open(view);
  consumers.put_whole();
  consumers.close();
  table_close(view, NoLock);
}

TransactionId parent_row_version(const char* delta, Oid view, List* columns) {
  Relation const table = open_table();
  TransactionId found = InvalidTransactionId;
  if (table == nullptr) return found;
  for_each_row(table, GetActiveSnapshot(), [&](TupleTableSlot* slot) {
    if (strcmp(text_of(slot, kDelta), delta) != 0 || view_of(slot) != view) return;
    if (!are_same(columns_of(slot), columns)) return;
    // xmin changes with each new version of the row, so it identifies the version.
    bool is_null;
    found = DatumGetTransactionId(slot_getsysattr(slot, MinTransactionIdAttributeNumber, &is_null));
  });
  table_close(table, NoLock);
  return found;
}

}  // namespace metrics_refresh::engine
