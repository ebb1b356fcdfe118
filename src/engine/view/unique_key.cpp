// Derives unique columns from the outermost query of a definition.
//
// DISTINCT makes all output columns unique, GROUP BY the grouped ones, and an aggregate without
// GROUP BY returns one row. Otherwise the primary key of a single table is unique. Example:
//   SELECT region, day, sum(amount) FROM sales GROUP BY region, day
// proposes CREATE UNIQUE INDEX ... (region, day). If a needed column is not in the output, nothing
// is proposed.
#include "engine/view/unique_key.hpp"

#include "engine/definition/inheritance.hpp"
#include "pg/compat.hpp"

namespace metrics_refresh::engine {
namespace {

// All helpers run inside one pg::call(), so they use only plain C structures.

bool can_be_indexed(const TargetEntry* entry) {
  const Oid type = exprType(reinterpret_cast<Node*>(entry->expr));
  return OidIsValid(lookup_type_cache(type, TYPECACHE_BTREE_OPFAMILY)->btree_opf);
}

// The output columns of `clause` (of GROUP BY or DISTINCT), or NIL if one is not in the output.
List* columns_of_clause(const Query* query, List* clause) {
  List* columns = NIL;
  ListCell* cell;
  foreach (cell, clause) {
    TargetEntry* entry =
        get_sortgroupclause_tle(lfirst_node(SortGroupClause, cell), query->targetList);
    if (entry->resjunk || !can_be_indexed(entry)) return NIL;
    columns = list_append_unique_int(columns, entry->resno);
  }
  return columns;
}

// The first output column that an index can hold.
List* any_column(const Query* query) {
  ListCell* cell;
  foreach (cell, query->targetList) {
    TargetEntry* entry = lfirst_node(TargetEntry, cell);
    if (!entry->resjunk && can_be_indexed(entry)) return list_make1_int(entry->resno);
  }
  return NIL;
}

// The output columns that are the primary key of the one table that the query reads.
List* columns_of_primary_key(const Query* query) {
  // The length of the range table is not used: before PostgreSQL 16 that of a view also contains
  // OLD and NEW.
  if (list_length(query->jointree->fromlist) != 1) return NIL;
  const auto* from = reinterpret_cast<RangeTblRef*>(linitial(query->jointree->fromlist));
  if (!IsA(from, RangeTblRef)) return NIL;
  const RangeTblEntry* table = rt_fetch(from->rtindex, query->rtable);
  if (table->rtekind != RTE_RELATION || table->tablesample != nullptr) return NIL;
  // A primary key does not hold across the children of an inheritance parent.
  if (table->relkind != RELKIND_PARTITIONED_TABLE &&
      (table->relkind != RELKIND_RELATION || (table->inh && has_children(table->relid))))
    return NIL;

  // A report must not wait for a refresh or an ALTER TABLE.
  if (!ConditionalLockRelationOid(table->relid, AccessShareLock)) return NIL;
  Relation relation = relation_open(table->relid, NoLock);
  const Oid key_index = pg::primary_key_index(relation);
  relation_close(relation, AccessShareLock);
  if (!OidIsValid(key_index)) return NIL;

  if (!ConditionalLockRelationOid(key_index, AccessShareLock)) return NIL;
  Relation index = index_open(key_index, NoLock);
  List* columns = NIL;
  for (int i = 0; i < index->rd_index->indnkeyatts; ++i) {
    const AttrNumber key = index->rd_index->indkey.values[i];
    int found = 0;
    ListCell* cell;
    foreach (cell, query->targetList) {
      TargetEntry* entry = lfirst_node(TargetEntry, cell);
      const Var* var = reinterpret_cast<Var*>(entry->expr);
      if (!entry->resjunk && IsA(entry->expr, Var) && var->varno == from->rtindex &&
          var->varattno == key && var->varlevelsup == 0)
        found = entry->resno;
    }
    if (found == 0) {
      columns = NIL;
      break;
    }
    columns = lappend_int(columns, found);
  }
  index_close(index, AccessShareLock);
  return columns;
}

List* unique_columns(const Query* query) {
  // Functions that return sets multiply rows after grouping.
  if (query->hasTargetSRFs || query->setOperations != nullptr || query->groupingSets != NIL)
    return NIL;
  if (query->distinctClause != NIL) return columns_of_clause(query, query->distinctClause);
  if (query->groupClause != NIL) return columns_of_clause(query, query->groupClause);
  if (query->hasAggs) return any_column(query);
  return columns_of_primary_key(query);
}

// The column list of an index, or null.
const char* proposed_columns(Oid oid) {
  if (!ConditionalLockRelationOid(oid, AccessShareLock)) return nullptr;
  Relation relation = try_relation_open(oid, NoLock);
  if (relation == nullptr) {
    UnlockRelationOid(oid, AccessShareLock);
    return nullptr;
  }
  const RuleLock* rules = relation->rd_rules;
  const char* result = nullptr;
  if (rules != nullptr && rules->numLocks == 1 && list_length(rules->rules[0]->actions) == 1) {
    List* columns = unique_columns(linitial_node(Query, rules->rules[0]->actions));
    if (columns != NIL && list_length(columns) <= INDEX_MAX_KEYS) {
      StringInfoData text;
      initStringInfo(&text);
      ListCell* cell;
      foreach (cell, columns) {
        const Form_pg_attribute attribute =
            TupleDescAttr(RelationGetDescr(relation), lfirst_int(cell) - 1);
        appendStringInfo(&text, "%s%s", text.len > 0 ? ", " : "",
                         quote_identifier(NameStr(attribute->attname)));
      }
      result = text.data;
    }
  }
  relation_close(relation, AccessShareLock);
  return result;
}

}  // namespace

std::string propose_unique_index(const View& view) {
  const Oid oid = view.oid;
  const char* columns = pg::call([oid] { return proposed_columns(oid); });
  if (columns == nullptr) return "";
  return "CREATE UNIQUE INDEX ON " + qualified_name(view.schema, view.name) + " (" + columns + ");";
}

}  // namespace metrics_refresh::engine
