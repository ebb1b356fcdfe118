// Recognizes the statements of a restore by their parse trees.
//
// pg_restore executes ordinary statements: COPY into each table, CREATE TRIGGER, and, with
// --disable-triggers, ALTER TABLE ... DISABLE TRIGGER ALL around each COPY. All names in them have
// a schema. The statements are recognized only if the caller is a superuser, as for any restore of
// private tables.
//
// The server calls this code from its own C frames. Nothing here has a destructor, except inside
// pg::boundary().
#include "hooks/restore_watch.hpp"

#include "engine/incremental/capture/delta.hpp"
#include "extension/own_schema.hpp"
#include "pg/spi.hpp"
#include "shmem/restores.hpp"
#include "store/incremental.hpp"

namespace metrics_refresh::hooks {
namespace {

// Names without a schema need no lookup, because dumps qualify every name.
bool is_internal(const RangeVar* relation) {
  return relation != nullptr && relation->schemaname != nullptr &&
         strcmp(relation->schemaname, extension::kInternalSchema) == 0;
}

// True for ENABLE and DISABLE TRIGGER with ALL or USER.
bool is_of_all_triggers(const AlterTableCmd* command) {
  switch (command->subtype) {
    case AT_EnableTrigAll:
    case AT_EnableTrigUser:
    case AT_DisableTrigAll:
    case AT_DisableTrigUser:
      return true;
    default:
      return false;
  }
}

bool disables(const AlterTableCmd* command) {
  return command->subtype == AT_DisableTrigAll || command->subtype == AT_DisableTrigUser;
}

// True if the table is a member of the extension. Delta tables are in the same schema, but are not
// members.
bool is_member(const RangeVar* relation) {
  const Oid table = RangeVarGetRelid(relation, NoLock, true);
  return OidIsValid(table) && OidIsValid(getExtensionOfObject(RelationRelationId, table));
}

bool fills_own_table(Node* statement) {
  if (!IsA(statement, CopyStmt)) return false;
  const auto* copy = reinterpret_cast<CopyStmt*>(statement);
  if (!copy->is_from || !is_internal(copy->relation) || !is_member(copy->relation)) return false;
  // Other roles may have the INSERT privilege, as members of pg_write_all_data. They cannot delay
  // runs, because row-level security refuses their rows.
  return superuser();
}

// If the statement creates a trigger that fills a delta table, returns the name of that table.
// Otherwise null. Only the owner of the extension and superusers can create such a trigger.
const char* made_delta_of(Node* statement) {
  if (!IsA(statement, CreateTrigStmt)) return nullptr;
  const auto* create = reinterpret_cast<CreateTrigStmt*>(statement);
  if (list_length(create->funcname) != 2 || create->args == NIL ||
      strcmp(strVal(linitial(create->funcname)), extension::kInternalSchema) != 0 ||
      strcmp(strVal(lsecond(create->funcname)), "capture_keys") != 0 || !superuser())
    return nullptr;
  return strVal(linitial(create->args));
}

}  // namespace

bool leaves_own_triggers_alone(Node* statement) {
  if (!IsA(statement, AlterTableStmt)) return false;
  const auto* alter = reinterpret_cast<AlterTableStmt*>(statement);
  // The server refuses the statement for other roles.
  if (!is_internal(alter->relation) || !superuser()) return false;
  bool is_to_disable = false;
  ListCell* cell;
  foreach (cell, alter->cmds) {
    const auto* command = lfirst_node(AlterTableCmd, cell);
    if (!is_of_all_triggers(command)) return false;
    is_to_disable = is_to_disable || disables(command);
  }
  if (!is_member(alter->relation)) return false;
  if (is_to_disable)
    ereport(NOTICE,
            errmsg("the triggers of the table \"%s\" of metrics_refresh stay as they are",
                   alter->relation->relname),
            errhint("Rows are restored through them; a single one can be disabled by its name."));
  return true;
}

void hold_off_for_restore(Node* statement) {
  if (fills_own_table(statement) || made_delta_of(statement) != nullptr) shmem::register_restore();
}

void suspect_restored_trigger(Node* statement) {
  const char* const delta = made_delta_of(statement);
  long long id = 0;
  if (delta == nullptr || !engine::is_delta_name(delta) ||
      OidIsValid(get_relname_relid(delta, get_namespace_oid(extension::kInternalSchema, false))) ||
      sscanf(delta, "delta_%18lld", &id) != 1)
    return;
  pg::boundary(
      [id] { extension::as_extension([id](pg::Spi& spi) { store::queue_sweep_of_id(spi, id); }); });
}

}  // namespace metrics_refresh::hooks
