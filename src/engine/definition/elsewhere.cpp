// Recognizes tables whose rows may be written without this server.
//
// Citus lists its tables in a catalog, which is read directly. Other extensions replace the scan of
// a table by a custom scan. They are recognized by a plan of SELECT * FROM the table, which is
// searched for custom scans. Example of such a plan:
//   Custom Scan (Citus Adaptive)
// Planning is expensive, so its result is cached (known_scans.hpp).
#include "engine/definition/elsewhere.hpp"

#include "engine/definition/known_scans.hpp"
#include "pg/compat_execution.hpp"
#include "pg/compat_query.hpp"

namespace metrics_refresh::engine {
namespace {

// Custom scans that read only tables of this server. They are those of TimescaleDB and of the
// columnar access methods of Citus and Hydra.
constexpr const char* kLocalScans[] = {"ChunkAppend",  "ConstraintAwareAppend", "DecompressChunk",
                                       "ColumnarScan", "ColumnarIndexScan",     "VectorAgg",
                                       "SkipScan"};

bool is_local(const char* scan) {
  for (const char* const one : kLocalScans)
    if (strcmp(scan, one) == 0) return true;
  return false;
}

// The catalog in which Citus lists its tables, or InvalidOid.
Oid citus_tables() { return get_relname_relid("pg_dist_partition", PG_CATALOG_NAMESPACE); }

// The index of that name on that table, or InvalidOid.
Oid index_on(Oid table, const char* name) {
  const Oid index = get_relname_relid(name, PG_CATALOG_NAMESPACE);
  const HeapTuple tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
  if (!HeapTupleIsValid(tuple)) return InvalidOid;
  const bool is_on = reinterpret_cast<Form_pg_index>(GETSTRUCT(tuple))->indrelid == table;
  ReleaseSysCache(tuple);
  return is_on ? index : InvalidOid;
}

bool is_distributed(Oid table) {
  const Oid list = citus_tables();
  // The catalog belongs to another extension, so nothing about its shape is taken for granted.
  if (!OidIsValid(list) || get_rel_relkind(list) != RELKIND_RELATION) return false;
  const AttrNumber column = get_attnum(list, "logicalrelid");
  if (column <= 0 || get_atttype(list, column) != REGCLASSOID) return false;
  Relation const relation = try_table_open(list, AccessShareLock);
  if (relation == nullptr) return false;
  ScanKeyData key;
  ScanKeyInit(&key, column, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(table));
  const Oid index = index_on(list, "pg_dist_partition_logical_relid_index");
  SysScanDesc const scan = systable_beginscan(relation, index, OidIsValid(index), nullptr, 1, &key);
  const bool found = HeapTupleIsValid(systable_getnext(scan));
  systable_endscan(scan);
  table_close(relation, AccessShareLock);
  return found;
}

// Builds SELECT of all columns. The query is planned but never run, so it needs no rights.
Query* plain_scan(Relation table, bool with_children) {
  auto* const entry = makeNode(RangeTblEntry);
  entry->rtekind = RTE_RELATION;
  entry->relid = RelationGetRelid(table);
  entry->relkind = table->rd_rel->relkind;
  entry->rellockmode = AccessShareLock;
  entry->inh = with_children;
  entry->inFromCl = true;
  entry->eref = makeAlias(RelationGetRelationName(table), NIL);
  auto* const place = makeNode(RangeTblRef);
  place->rtindex = 1;
  auto* const query = makeNode(Query);
  query->commandType = CMD_SELECT;
  query->canSetTag = true;
  query->rtable = list_make1(entry);
  pg::ask_for(query, entry, ACL_NO_RIGHTS);
  query->jointree = makeFromExpr(list_make1(place), nullptr);
  TupleDesc const columns = RelationGetDescr(table);
  for (int i = 0; i < columns->natts; ++i) {
    const FormData_pg_attribute* const column = TupleDescAttr(columns, i);
    entry->eref->colnames =
        lappend(entry->eref->colnames, makeString(pstrdup(NameStr(column->attname))));
    if (column->attisdropped) continue;
    Var* const value =
        makeVar(1, column->attnum, column->atttypid, column->atttypmod, column->attcollation, 0);
    query->targetList =
        lappend(query->targetList,
                makeTargetEntry(reinterpret_cast<Expr*>(value),
                                static_cast<AttrNumber>(list_length(query->targetList) + 1),
                                pstrdup(NameStr(column->attname)), false));
  }
  return query;
}

struct FoundScan {
  const char* name;
  Index place;  // index of the table in the plan's range table; 0: several tables, or none
};

FoundScan find_foreign_scan(Plan* plan);

FoundScan find_among(List* plans) {
  ListCell* cell;
  foreach (cell, plans)
    if (const FoundScan found = find_foreign_scan(static_cast<Plan*>(lfirst(cell)));
        found.name != nullptr)
      return found;
  return {};
}

FoundScan find_foreign_scan(Plan* plan) {
  if (plan == nullptr) return {};
  check_stack_depth();
  List* plans = list_make2(plan->lefttree, plan->righttree);
  switch (nodeTag(plan)) {
    case T_CustomScan: {
      const auto* const scan = reinterpret_cast<CustomScan*>(plan);
      if (!is_local(scan->methods->CustomName))
        return {scan->methods->CustomName, scan->scan.scanrelid};
      plans = list_concat(plans, scan->custom_plans);
      break;
    }
    case T_Append:
      plans = list_concat(plans, reinterpret_cast<Append*>(plan)->appendplans);
      break;
    case T_MergeAppend:
      plans = list_concat(plans, reinterpret_cast<MergeAppend*>(plan)->mergeplans);
      break;
    case T_SubqueryScan:
      plans = lappend(plans, reinterpret_cast<SubqueryScan*>(plan)->subplan);
      break;
    default:
      break;
  }
  return find_among(plans);
}

// REQUIRES: the table is locked.
ReplacedScan plan_scan(Oid oid, Relation table, bool with_children) {
  Query* const query = plain_scan(table, with_children);
  // The snapshot is that of the catalogs. At repeatable read, the transaction must not take its own
  // snapshot yet.
  PushActiveSnapshot(GetCatalogSnapshot(RelationRelationId));
  PlannedStmt* const plan = pg::plan(query, "plan of a table's scan", 0);
  PopActiveSnapshot();
  FoundScan found = find_foreign_scan(plan->planTree);
  if (found.name == nullptr) found = find_among(plan->subplans);
  if (found.name == nullptr) return {};
  const Oid scanned = found.place > 0 ? rt_fetch(found.place, plan->rtable)->relid : InvalidOid;
  return {found.name, OidIsValid(scanned) ? scanned : oid};
}

ReplacedScan find_replaced_scan(Oid oid, bool with_children) {
  Relation const table = try_table_open(oid, AccessShareLock);
  if (table == nullptr) return {};
  ReplacedScan replaced;
  if (const ReplacedScan* const known = find_known_scan(oid, with_children); known != nullptr) {
    replaced = *known;
  } else {
    begin_to_know_scan();
    replaced = plan_scan(oid, table, with_children);
    know_scan(oid, with_children, replaced);
  }
  table_close(table, NoLock);
  return replaced;
}

const char* kind_of_list() { return "it is distributed by Citus"; }

const char* kind_of_scan(const char* scan) {
  return psprintf("the scan %s takes the place of its own", scan);
}

const char* say(const char* table, const char* reason) {
  return psprintf("rows of the table %s may be written elsewhere: %s", table, reason);
}

}  // namespace

const char* reason_written_elsewhere(Oid table) {
  return is_distributed(table) ? say(get_rel_name(table), kind_of_list()) : nullptr;
}

bool may_plan_for(Oid owner) { return GetUserId() == owner || GetSessionUserId() == owner; }

bool may_be_elsewhere() { return are_scans_hooked() || OidIsValid(citus_tables()); }

const char* reason_scanned_elsewhere(Oid table, bool with_children) {
  if (!are_scans_hooked()) return nullptr;
  const ReplacedScan replaced = find_replaced_scan(table, with_children);
  if (replaced.scan == nullptr) return nullptr;
  return say(get_rel_name(replaced.table), kind_of_scan(replaced.scan));
}

const char* reason_unseen(Oid table, bool may_plan) {
  const char* const name = get_rel_name(table);
  if (name == nullptr) return nullptr;
  const char* const qualified =
      quote_qualified_identifier(get_namespace_name(get_rel_namespace(table)), name);
  if (get_rel_relkind(table) == RELKIND_FOREIGN_TABLE)
    return psprintf("changes of the foreign table %s cannot be seen here", qualified);
  if (is_distributed(table)) return say(qualified, kind_of_list());
  if (!may_plan || !are_scans_hooked() || !ConditionalLockRelationOid(table, AccessShareLock))
    return nullptr;
  const ReplacedScan replaced = find_replaced_scan(table, false);
  UnlockRelationOid(table, AccessShareLock);
  return replaced.scan != nullptr ? say(qualified, kind_of_scan(replaced.scan)) : nullptr;
}

}  // namespace metrics_refresh::engine
