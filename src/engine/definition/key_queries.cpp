// Builds queries as trees.
//
// A tree refers to columns, types and operators by oid. Text would be parsed again with the current
// search_path, and a name in it could then mean another object. Example, with the condition as a
// tree:
//   SELECT definition.a AS c1, definition.b AS c2 FROM (definition) WHERE condition
#include "engine/definition/key_queries.hpp"

#include "pg/compat_query.hpp"

namespace metrics_refresh::engine {
namespace {

Query* select_from(RangeTblEntry* entry, List* columns, Node* condition) {
  auto* const query = makeNode(Query);
  query->commandType = CMD_SELECT;
  query->querySource = QSRC_ORIGINAL;
  query->canSetTag = true;
  query->rtable = list_make1(entry);
  auto* const reference = makeNode(RangeTblRef);
  reference->rtindex = 1;
  query->jointree =
      makeFromExpr(list_make1(reference), static_cast<Node*>(copyObjectImpl(condition)));
  AttrNumber number = 0;
  ListCell* cell;
  foreach (cell, columns) {
    ++number;
    query->targetList = lappend(
        query->targetList,
        makeTargetEntry(static_cast<Expr*>(lfirst(cell)), number, psprintf("c%d", number), false));
  }
  return query;
}

}  // namespace

Var* column_var(TupleDesc row, int number) {
  const Form_pg_attribute attribute = TupleDescAttr(row, number - 1);
  return makeVar(1, static_cast<AttrNumber>(number), attribute->atttypid, attribute->atttypmod,
                 attribute->attcollation, 0);
}

Query* select_columns(const RangeTblEntry* entry, const Node* permission, const Bitmapset* columns,
                      Node* condition) {
  auto* const table = static_cast<RangeTblEntry*>(copyObjectImpl(entry));
  Relation const relation = table_open(entry->relid, AccessShareLock);
  List* targets = NIL;
  for (int column = -1; (column = bms_next_member(columns, column)) >= 0;)
    targets = lappend(targets, column_var(RelationGetDescr(relation), column));
  table_close(relation, NoLock);
  Query* const query = select_from(table, targets, condition);
  pg::set_permission(query, table, permission);
  return query;
}

Query* select_from_definition(const Query* definition, Node* condition) {
  auto* const entry = makeNode(RangeTblEntry);
  entry->rtekind = RTE_SUBQUERY;
  entry->subquery = static_cast<Query*>(copyObjectImpl(definition));
  entry->eref = makeAlias("definition", NIL);
  entry->inFromCl = true;
  List* columns = NIL;
  ListCell* cell;
  foreach (cell, definition->targetList) {
    const TargetEntry* target = lfirst_node(TargetEntry, cell);
    if (target->resjunk) continue;
    entry->eref->colnames = lappend(entry->eref->colnames, makeString(pstrdup(target->resname)));
    Node* const expression = reinterpret_cast<Node*>(target->expr);
    columns = lappend(columns, makeVar(1, target->resno, exprType(expression),
                                       exprTypmod(expression), exprCollation(expression), 0));
  }
  return select_from(entry, columns, condition);
}

Query* select_from_view(Relation view, Node* condition) {
  auto* const entry = makeNode(RangeTblEntry);
  entry->rtekind = RTE_RELATION;
  entry->relid = RelationGetRelid(view);
  entry->relkind = view->rd_rel->relkind;
  entry->rellockmode = AccessShareLock;
  entry->eref = makeAlias(RelationGetRelationName(view), NIL);
  entry->inFromCl = true;
  TupleDesc const row = RelationGetDescr(view);
  List* columns = NIL;
  for (int i = 1; i <= row->natts; ++i) {
    entry->eref->colnames = lappend(
        entry->eref->colnames, makeString(pstrdup(NameStr(TupleDescAttr(row, i - 1)->attname))));
    columns = lappend(columns, column_var(row, i));
  }
  columns = lappend(columns, makeVar(1, SelfItemPointerAttributeNumber, TIDOID, -1, InvalidOid, 0));
  Query* const query = select_from(entry, columns, condition);
  pg::ask_for(query, entry, ACL_NO_RIGHTS);
  return query;
}

}  // namespace metrics_refresh::engine
