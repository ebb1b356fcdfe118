#include "pg/empty_table.hpp"

#include "pg/compat_execution.hpp"

namespace metrics_refresh::pg {

bool lock_if_unused(Oid table) {
  if (!ConditionalLockRelationOid(table, AccessExclusiveLock)) return false;
  Relation const opened = try_table_open(table, NoLock);
  if (opened == nullptr) return false;
  const Oid toast = opened->rd_rel->reltoastrelid;
  table_close(opened, NoLock);
  // Only vacuum uses a TOAST table without its table.
  return !OidIsValid(toast) || ConditionalLockRelationOid(toast, AccessExclusiveLock);
}

std::int64_t count_rows(Oid table, Snapshot snapshot) {
  Relation const opened = table_open(table, AccessShareLock);
  TupleTableSlot* const row = table_slot_create(opened, nullptr);
  TableScanDesc const scan = begin_scan(opened, snapshot);
  std::int64_t count = 0;
  while (table_scan_getnextslot(scan, ForwardScanDirection, row)) {
    CHECK_FOR_INTERRUPTS();
    ++count;
  }
  table_endscan(scan);
  ExecDropSingleTupleTableSlot(row);
  table_close(opened, AccessShareLock);
  return count;
}

void empty_tables(const Oid* tables, std::size_t count) {
  List* relations = NIL;
  List* numbers = NIL;
  for (std::size_t i = 0; i < count; ++i) {
    Relation const opened = table_open(tables[i], NoLock);
    CheckTableNotInUse(opened, "TRUNCATE");
    relations = lappend(relations, opened);
    numbers = lappend_oid(numbers, tables[i]);
  }
  truncate_tables(relations, numbers, NIL);
  ListCell* cell;
  foreach (cell, relations) table_close(static_cast<Relation>(lfirst(cell)), NoLock);
}

}  // namespace metrics_refresh::pg
