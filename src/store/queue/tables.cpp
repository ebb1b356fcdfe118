#include "store/queue/tables.hpp"

#include "extension/own_schema.hpp"

// CREATE EXTENSION, DROP EXTENSION, TRUNCATE and REINDEX of one of the tables send an invalidation
// message about it. Until such a message arrives, the numbers stay.

namespace metrics_refresh::store::queue {
namespace {

Tables cached = {};
bool is_valid = false;
bool is_looking_up = false;
bool is_watching = false;

void on_invalidation(Datum, Oid relation) {
  if (!is_valid) return;
  // The numbers that a look-up will find are not known yet.
  if (is_looking_up || !OidIsValid(relation)) {
    is_valid = false;
    return;
  }
  // All members are numbers of relations.
  static_assert(sizeof(Tables) % sizeof(Oid) == 0);
  const Oid* const numbers = &cached.hot[0];
  for (std::size_t i = 0; i < sizeof(Tables) / sizeof(Oid); ++i)
    if (numbers[i] == relation) is_valid = false;
}

// `end` is the end of the name, after the number of the child.
Oid number_of(Oid schema, const char* name, int child, const char* end = "") {
  char whole[NAMEDATALEN];
  pg_snprintf(whole, sizeof(whole), "%s_%d%s", name, child, end);
  return get_relname_relid(whole, schema);
}

Tables look_up(Oid schema) {
  Tables found = {};
  for (int k = 0; k < kSegments; ++k) {
    found.hot[k] = number_of(schema, "queue_hot", k);
    found.hot_id[k] = number_of(schema, "queue_hot", k, "_id");
    found.hot_unique[k] = number_of(schema, "queue_hot", k, "_unique");
    found.ended[k] = number_of(schema, "queue_ended", k);
    found.ended_id[k] = number_of(schema, "queue_ended", k, "_id");
    found.claim[k] = number_of(schema, "queue_claim", k);
  }
  for (int k = 0; k < kPeriods; ++k) found.history[k] = number_of(schema, "queue_history", k);
  found.later = get_relname_relid("queue_later", schema);
  found.stopped = get_relname_relid("queue_stopped", schema);
  found.batch = get_relname_relid("queue_batch", schema);
  return found;
}

[[noreturn]] void refuse_missing() {
  ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                  errmsg("extension \"metrics_refresh\" does not exist in this database"),
                  errhint("Run CREATE EXTENSION metrics_refresh.")));
  pg_unreachable();
}

}  // namespace

const Tables& tables() {
  if (!is_watching) {
    CacheRegisterRelcacheCallback(on_invalidation, Datum{0});
    is_watching = true;
  }
  if (is_valid) return cached;
  // Both are set before: a message that arrives during the look-ups must count.
  is_valid = is_looking_up = true;
  const Oid schema = get_namespace_oid(extension::kInternalSchema, true);
  cached = OidIsValid(schema) ? look_up(schema) : Tables{};
  is_looking_up = false;
  // Without the extension there is no number to which a message could refer.
  if (!OidIsValid(cached.stopped)) is_valid = false;
  return cached;
}

Relation open_queue_table(Oid table, LOCKMODE mode) {
  Relation const relation = OidIsValid(table) ? try_table_open(table, mode) : nullptr;
  if (relation == nullptr) refuse_missing();
  return relation;
}

void open_queue_appender(pg::Appender* appender, Oid table) {
  if (!OidIsValid(table) || !pg::open_appender(appender, table)) refuse_missing();
}

}  // namespace metrics_refresh::store::queue
