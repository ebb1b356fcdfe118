// Finds the objects that a statement will lock, and checks who owns them.
//
// Each statement names its objects in another way, so there is a function for each kind. Example:
// for DROP FUNCTION the server locks the function exclusively and then checks its owner. Here the
// function is looked up without a lock. If it belongs to the extension and the caller does not own
// it, the statement fails before it locks anything.
//
// The server calls this code from its own C frames. Nothing here has a destructor.
#include "hooks/rights_first.hpp"

#include "pg/compat.hpp"

namespace metrics_refresh::hooks {
namespace {

bool is_our_extension(Oid extension) {
  const char* const name = OidIsValid(extension) ? get_extension_name(extension) : nullptr;
  return name != nullptr &&
         (strcmp(name, "metrics_refresh") == 0 || strcmp(name, "metrics_refresh_cron") == 0);
}

bool is_our_schema(Oid schema) {
  return OidIsValid(schema) && is_our_extension(getExtensionOfObject(NamespaceRelationId, schema));
}

// True for members of the two extensions, and for objects in their schemas such as delta tables.
bool is_ours(const ObjectAddress& object) {
  if (!OidIsValid(object.objectId)) return false;
  if (object.classId == ExtensionRelationId) return is_our_extension(object.objectId);
  return is_our_extension(getExtensionOfObject(object.classId, object.objectId)) ||
         is_our_schema(get_object_namespace(&object));
}

// Looks the object up like the server, but without a lock. Returns InvalidObjectAddress if there is
// no such object, or if it is of another type.
ObjectAddress find(ObjectType type, Node* name) {
  ObjectAddress found = InvalidObjectAddress;
  switch (type) {
    case OBJECT_EXTENSION:
      ObjectAddressSet(found, ExtensionRelationId, get_extension_oid(strVal(name), true));
      break;
    case OBJECT_SCHEMA:
      ObjectAddressSet(found, NamespaceRelationId, get_namespace_oid(strVal(name), true));
      break;
    case OBJECT_AGGREGATE:
    case OBJECT_FUNCTION:
    case OBJECT_PROCEDURE:
    case OBJECT_ROUTINE:
      ObjectAddressSet(found, ProcedureRelationId,
                       LookupFuncWithArgs(type, castNode(ObjectWithArgs, name), true));
      break;
    default:
      break;
  }
  return found;
}

void ask_for(ObjectType type, Node* name) {
  const ObjectAddress object = find(type, name);
  if (is_ours(object)) check_object_ownership(GetUserId(), type, object, name, nullptr);
}

// Only routines, schemas and extensions have such names. Other objects of these statements have
// lists or type names.
void ask_for_named(ObjectType type, Node* name) {
  if (name != nullptr && (IsA(name, ObjectWithArgs) || IsA(name, String))) ask_for(type, name);
}

// The owner of a schema may drop the objects in it.
void ask_for_drop(const DropStmt* drop) {
  ListCell* cell;
  foreach (cell, drop->objects) {
    Node* const name = static_cast<Node*>(lfirst(cell));
    const ObjectAddress object = find(drop->removeType, name);
    if (!is_ours(object)) continue;
    const Oid schema = get_object_namespace(&object);
    if (!OidIsValid(schema) || !pg::owns(NamespaceRelationId, schema))
      check_object_ownership(GetUserId(), drop->removeType, object, name, nullptr);
  }
}

[[noreturn]] void refuse_relation(Oid relation, const char* name) {
  aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(relation)), name);
  pg_unreachable();
}

// A name without a schema may refer to another relation now, and to one of the extension when the
// first is dropped. The server looks the name up again after it has waited for a lock. Returns the
// relation of the extension that the name could refer to, or InvalidOid.
Oid hidden_relation(const char* name) {
  if (!OidIsValid(get_extension_oid("metrics_refresh", true))) return InvalidOid;
  constexpr int kMany = 64;
  Oid path[kMany];
  const int length = fetch_search_path_array(path, kMany);
  for (int i = 0; i < length && i < kMany; ++i) {
    const Oid relation = is_our_schema(path[i]) ? get_relname_relid(name, path[i]) : InvalidOid;
    if (OidIsValid(relation)) return relation;
  }
  if (length > kMany)
    ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
            errmsg("search_path has too many schemas for a name without a schema here"));
  return InvalidOid;
}

// For statements that block writers of the named table. A member of pg_read_all_data has USAGE on
// all schemas, so it can name the tables.
void ask_for_table(const RangeVar* name) {
  if (name == nullptr) return;
  Oid relation = RangeVarGetRelid(name, NoLock, true);
  if (!OidIsValid(relation) || !is_our_schema(get_rel_namespace(relation)))
    relation = name->schemaname == nullptr ? hidden_relation(name->relname) : InvalidOid;
  if (!OidIsValid(relation) || get_rel_relkind(relation) != RELKIND_RELATION) return;
  if (!pg::owns(RelationRelationId, relation)) refuse_relation(relation, name->relname);
}

// CREATE TRIGGER also blocks writers of a view that has INSTEAD OF triggers.
void ask_for_triggered(const RangeVar* name) {
  ObjectAddress relation;
  ObjectAddressSet(relation, RelationRelationId, RangeVarGetRelid(name, NoLock, true));
  if (is_ours(relation) && get_rel_relkind(relation.objectId) == RELKIND_VIEW &&
      !pg::owns(RelationRelationId, relation.objectId))
    refuse_relation(relation.objectId, name->relname);
  ask_for_table(name);
}

// A foreign key locks the table that it references. It is a constraint of a table or of a column.
void ask_for_referenced(const List* constraints) {
  ListCell* cell;
  foreach (cell, constraints) {
    const Node* const node = static_cast<Node*>(lfirst(cell));
    if (IsA(node, Constraint)) {
      ask_for_table(reinterpret_cast<const Constraint*>(node)->pktable);
    } else if (IsA(node, ColumnDef)) {
      ask_for_referenced(reinterpret_cast<const ColumnDef*>(node)->constraints);
    }
  }
}

// For statements that lock the named relation exclusively.
void ask_for_relation(const RangeVar* name) {
  ObjectAddress relation;
  ObjectAddressSet(relation, RelationRelationId, RangeVarGetRelid(name, NoLock, true));
  if (is_ours(relation)) {
    if (!pg::owns(RelationRelationId, relation.objectId))
      refuse_relation(relation.objectId, name->relname);
    return;
  }
  if (name->schemaname != nullptr) return;
  const Oid hidden = hidden_relation(name->relname);
  if (OidIsValid(hidden) && !pg::owns(RelationRelationId, hidden))
    ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
            errmsg("must be owner of view %s", name->relname),
            errdetail("There is a view of metrics_refresh of this name in the search_path."),
            errhint("Write the schema of your own before the name."));
}

void ask_for_dependence(const AlterObjectDependsStmt* statement) {
  if (statement->relation != nullptr)
    ask_for_relation(statement->relation);
  else
    ask_for(statement->objectType, statement->object);
  ask_for(OBJECT_EXTENSION, reinterpret_cast<Node*>(statement->extname));
}

// CREATE TABLE ... PARTITION OF locks the parent exclusively.
void ask_for_parents(const CreateStmt* statement) {
  if (statement->partbound == nullptr) return;
  ListCell* cell;
  foreach (cell, statement->inhRelations) ask_for_relation(lfirst_node(RangeVar, cell));
}

// ATTACH and DETACH PARTITION lock the partition, and a new foreign key locks its referenced table.
void ask_for_named_in(const AlterTableStmt* statement) {
  ListCell* cell;
  foreach (cell, statement->cmds) {
    Node* const def = lfirst_node(AlterTableCmd, cell)->def;
    if (def == nullptr) continue;
    if (IsA(def, PartitionCmd))
      ask_for_relation(reinterpret_cast<PartitionCmd*>(def)->name);
    else
      ask_for_referenced(list_make1(def));
  }
}

void ask_for_named_in(const CreateStmt* statement) {
  ask_for_parents(statement);
  ask_for_referenced(statement->tableElts);
}

void ask_for_extension(char* name) {
  ask_for(OBJECT_EXTENSION, reinterpret_cast<Node*>(makeString(name)));
}

// ADD and DROP lock the extension and the named object.
void ask_for_contents(const AlterExtensionContentsStmt* statement) {
  ask_for_extension(statement->extname);
  ask_for_named(static_cast<ObjectType>(statement->objtype), statement->object);
}

void ask_for_rename(const RenameStmt* statement) {
  if (statement->renameType == OBJECT_SCHEMA)
    ask_for(OBJECT_SCHEMA, reinterpret_cast<Node*>(makeString(statement->subname)));
  else
    ask_for_named(statement->renameType, statement->object);
}

}  // namespace

// Two groups of statements need no check here. For some, the server checks rights before it locks:
// LOCK TABLE, TRUNCATE, ALTER TABLE, CREATE INDEX, CREATE POLICY, DROP of relations, GRANT. Others
// take locks that do not conflict with reading, writing and using an object: COMMENT, SECURITY
// LABEL, CREATE STATISTICS, CREATE PUBLICATION, INHERITS.
void ask_for_rights_first(Node* statement) {
  switch (nodeTag(statement)) {
    case T_DropStmt:
      return ask_for_drop(reinterpret_cast<DropStmt*>(statement));
    case T_AlterObjectDependsStmt:
      return ask_for_dependence(reinterpret_cast<AlterObjectDependsStmt*>(statement));
    case T_RuleStmt:
      return ask_for_relation(reinterpret_cast<RuleStmt*>(statement)->relation);
    case T_CreateStmt:
    case T_CreateForeignTableStmt:
      return ask_for_named_in(reinterpret_cast<CreateStmt*>(statement));
    case T_AlterTableStmt:
      return ask_for_named_in(reinterpret_cast<AlterTableStmt*>(statement));
    case T_CreateTrigStmt:
      return ask_for_triggered(reinterpret_cast<CreateTrigStmt*>(statement)->relation);
    case T_AlterExtensionStmt:
      return ask_for_extension(reinterpret_cast<AlterExtensionStmt*>(statement)->extname);
    case T_AlterExtensionContentsStmt:
      return ask_for_contents(reinterpret_cast<AlterExtensionContentsStmt*>(statement));
    case T_RenameStmt:
      return ask_for_rename(reinterpret_cast<RenameStmt*>(statement));
    case T_AlterObjectSchemaStmt: {
      const auto* move = reinterpret_cast<AlterObjectSchemaStmt*>(statement);
      return ask_for_named(move->objectType, move->object);
    }
    case T_AlterOwnerStmt: {
      const auto* give = reinterpret_cast<AlterOwnerStmt*>(statement);
      return ask_for_named(give->objectType, give->object);
    }
    default:
      return;
  }
}

}  // namespace metrics_refresh::hooks
