// The object access hook and the utility hook.
//
// The object access hook sees objects that are created, altered and dropped, and functions that are
// executed. Its notes are posted after the commit. The utility hook works on the parse tree before
// and after the server executes a statement. README.md lists its steps.
//
// The server calls this code from its own C frames, and every server function may longjmp. Nothing
// here has a destructor.
#include "hooks/ddl_watch.hpp"

#include "engine/incremental/capture/consumers.hpp"
#include "engine/refresh_statement.hpp"
#include "hooks/restore_watch.hpp"
#include "hooks/rights_first.hpp"
#include "hooks/silent_tools.hpp"
#include "pg/compat.hpp"
#include "shmem/change_counters.hpp"
#include "shmem/change_watch.hpp"
#include "shmem/shmem.hpp"
#include "store/job_changes.hpp"
#include "store/queue/news.hpp"

namespace metrics_refresh::hooks {
namespace {

object_access_hook_type next_access_hook = nullptr;
ProcessUtility_hook_type next_utility_hook = nullptr;

void on_access(ObjectAccessType access, Oid class_id, Oid object_id, int sub_id, void* argument) {
  if (next_access_hook != nullptr) next_access_hook(access, class_id, object_id, sub_id, argument);
  if (access == OAT_FUNCTION_EXECUTE) {
    if (changes_rows_silently(object_id)) shmem::note_any_changed();
  } else if (access == OAT_DROP && class_id == ExtensionRelationId) {
    const char* name = get_extension_name(object_id);
    if (name != nullptr && strcmp(name, "metrics_refresh") == 0) store::note_all_changed();
  } else if (access == OAT_DROP && class_id == RelationRelationId && sub_id == 0) {
    if (get_rel_relkind(object_id) == RELKIND_MATVIEW &&
        OidIsValid(get_extension_oid("metrics_refresh", true)))
      store::note_leftovers();
  } else if (access == OAT_POST_ALTER &&
             (class_id == ProcedureRelationId || class_id == NamespaceRelationId)) {
    // A dump names the handlers of job types as they are called then.
    store::note_job_types();
  } else if (class_id == DatabaseRelationId) {
    // The counts must be forgotten before a session can connect to the new database.
    if (access == OAT_POST_CREATE) shmem::forget_counts(object_id);
    if (access == OAT_POST_CREATE || access == OAT_POST_ALTER || access == OAT_DROP)
      store::note_database(object_id, access == OAT_DROP);
  } else if (class_id == InheritsRelationId && access == OAT_POST_ALTER) {
    // The table becomes a child of another table, or ceases to be one. Statements on the parent
    // change the rows of a child without firing its statement triggers.
    shmem::note_uncaptured(object_id);
  }
}

bool is_template(Oid database) {
  const HeapTuple tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
  if (!HeapTupleIsValid(tuple)) return false;
  const bool answer = reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple))->datistemplate;
  ReleaseSysCache(tuple);
  return answer;
}

bool has_option(List* options, const char* name) {
  ListCell* cell;
  foreach (cell, options)
    if (strcmp(lfirst_node(DefElem, cell)->defname, name) == 0) return true;
  return false;
}

// The database that must have no other sessions for this statement, or null.
const char* wanted_database(Node* statement) {
  if (IsA(statement, DropdbStmt)) return reinterpret_cast<DropdbStmt*>(statement)->dbname;
  if (IsA(statement, RenameStmt)) {
    const auto* rename = reinterpret_cast<RenameStmt*>(statement);
    return rename->renameType == OBJECT_DATABASE ? rename->subname : nullptr;
  }
  if (IsA(statement, AlterDatabaseStmt)) {
    const auto* alter = reinterpret_cast<AlterDatabaseStmt*>(statement);
    return has_option(alter->options, "tablespace") ? alter->dbname : nullptr;
  }
  if (IsA(statement, CreatedbStmt)) {
    ListCell* cell;
    foreach (cell, reinterpret_cast<CreatedbStmt*>(statement)->options) {
      DefElem* option = lfirst_node(DefElem, cell);
      if (strcmp(option->defname, "template") == 0 && option->arg != nullptr)
        return defGetString(option);
    }
  }
  return nullptr;
}

// The processes are terminated only if the caller has the rights for the statement. Otherwise any
// role could interrupt the runs of a database.
bool may_have_it(Node* statement, Oid database) {
  if (database == MyDatabaseId || IsTransactionBlock()) return false;
  if (IsA(statement, CreatedbStmt))
    return have_createdb_privilege() &&
           (is_template(database) || pg::owns(DatabaseRelationId, database));
  return pg::owns(DatabaseRelationId, database);
}

// Called before the statement is executed, because the server may free the statement.
shmem::RoleNews news_of_roles(Node* statement) {
  switch (nodeTag(statement)) {
    case T_RenameStmt:
      return reinterpret_cast<RenameStmt*>(statement)->renameType == OBJECT_ROLE
                 ? shmem::RoleNews::kRenamed
                 : shmem::RoleNews::kNone;
    case T_DropRoleStmt:
      return shmem::RoleNews::kGone;
    case T_CreateRoleStmt:  // the statement can also make it a member of other roles, or vice versa
    case T_AlterRoleStmt:
    case T_GrantRoleStmt:
      return shmem::RoleNews::kRights;
    default:
      return shmem::RoleNews::kNone;
  }
}

bool is_end_of_prepared(Node* statement) {
  if (!IsA(statement, TransactionStmt)) return false;
  const auto kind = reinterpret_cast<TransactionStmt*>(statement)->kind;
  return kind == TRANS_STMT_COMMIT_PREPARED || kind == TRANS_STMT_ROLLBACK_PREPARED;
}

// Sets the search_path of the session for the temporary table of REFRESH ... CONCURRENTLY (see
// engine/refresh_statement.hpp). Returns the GUC nest level to end afterwards, or 0.
int lend_session_path(Node* statement) {
  const char* const path = engine::path_of_session();
  const bool is_of_table =
      IsA(statement, CreateStmt) || IsA(statement, AlterTableStmt) || IsA(statement, DropStmt);
  if (path == nullptr || !is_of_table) return 0;
  const int level = NewGUCNestLevel();
  (void)set_config_option("search_path", path, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
                          false);
  return level;
}

void on_utility(PlannedStmt* planned, const char* query, bool read_only_tree,
                ProcessUtilityContext context, ParamListInfo params, QueryEnvironment* environment,
                DestReceiver* destination, QueryCompletion* completion) {
  ask_for_rights_first(planned->utilityStmt);
  if (leaves_own_triggers_alone(planned->utilityStmt)) return;
  hold_off_for_restore(planned->utilityStmt);
  const char* name = wanted_database(planned->utilityStmt);
  if (name != nullptr) {
    const Oid database = get_database_oid(name, true);
    if (OidIsValid(database) && may_have_it(planned->utilityStmt, database))
      shmem::send_away(database);
  }
  // If a statement ends the transaction, the server may free its parse tree. Therefore the kind is
  // read now, and the tree is read later only for other statements.
  const NodeTag kind = nodeTag(planned->utilityStmt);
  const bool ends_prepared = is_end_of_prepared(planned->utilityStmt);
  const shmem::RoleNews roles = news_of_roles(planned->utilityStmt);
  const int level = lend_session_path(planned->utilityStmt);
  (next_utility_hook != nullptr ? next_utility_hook : standard_ProcessUtility)(
      planned, query, read_only_tree, context, params, environment, destination, completion);
  if (level != 0) AtEOXact_GUC(false, level);
  // Not before: anybody can have one refused within a savepoint, and commit.
  if (roles != shmem::RoleNews::kNone) store::note_roles(roles);
  if (kind == T_CreateTrigStmt) suspect_restored_trigger(planned->utilityStmt);
  if (kind == T_RefreshMatViewStmt) {
    const auto* refresh = reinterpret_cast<RefreshMatViewStmt*>(planned->utilityStmt);
    const Oid view = RangeVarGetRelid(refresh->relation, NoLock, true);
    if (OidIsValid(view)) engine::capture_core_refresh(view);
  }
  if (ends_prepared) {
    store::post_prepared();
    store::queue::post_prepared_news();
  }
}

}  // namespace

void watch_ddl() {
  next_access_hook = object_access_hook;
  object_access_hook = on_access;
  next_utility_hook = ProcessUtility_hook;
  ProcessUtility_hook = on_utility;
}

}  // namespace metrics_refresh::hooks
