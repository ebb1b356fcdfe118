#include "hooks/restore_watch.hpp"

#include "engine/incremental/capture/delta.hpp"
#include "extension/own_schema.hpp"
#include "pg/spi.hpp"
#include "shmem/restores.hpp"
#include "store/incremental.hpp"

namespace metrics_refresh::hooks {
namespace {

// All that follows is called from the server's own C frames; nothing here has a destructor, but
// within pg::boundary().

// Dumps qualify every name.
bool is_internal(const RangeVar* relation) {
  return relation != nullptr && relation->schemaname != nullptr &&
         strcmp(relation->schemaname, extension::kInternalSchema) == 0;
}

// Of all triggers, or of all that are not the server's own.
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

// Delta tables lie in the same schema, and are none.
bool is_member(const RangeVar* relation) {
  const Oid table = RangeVarGetRelid(relation, NoLock, true);
  return OidIsValid(table) && OidIsValid(getExtensionOfObject(RelationRelationId, table));
}

bool fills_own_table(Node* statement) {
  if (!IsA(statement, CopyStmt)) return false;
  const auto* copy = reinterpret_cast<CopyStmt*>(statement);
  if (!copy->is_from || !is_internal(copy->relation) || !is_member(copy->relation)) return false;
  // Others who may write to the table, as members of pg_write_all_data, hold nothing off: its
  // row-level security refuses them.
  return superuser();
}

// The name of the delta table that a trigger fills which the statement makes, else null. Nobody but
// the extension's owner and superusers can make one.
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
  // Whoever is no superuser is refused by the server.
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
  if (fills_own_table(statement) || made_delta_of(statement) != nullptr) shmem::note_restore();
}

void suspect_restored_trigger(Node* statement) {
  const char* const delta = made_delta_of(statement);
  long long id = 0;
  if (delta == nullptr || !engine::is_delta_name(delta) ||
      OidIsValid(get_relname_relid(delta, get_namespace_oid(extension::kInternalSchema, false))) ||
      sscanf(delta, "delta_%18lld", &id) != 1)
    return;
  pg::boundary(
      [id] { extension::as_extension([id](pg::Spi& spi) { store::suspect_number(spi, id); }); });
}

}  // namespace metrics_refresh::hooks
