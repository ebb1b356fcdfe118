#include "engine/incremental/apply/keyed_refresh.hpp"

#include "engine/definition/definition.hpp"
#include "engine/definition/functions.hpp"
#include "engine/definition/key_queries.hpp"
#include "engine/definition/reach.hpp"
#include "engine/definition/stable_functions.hpp"
#include "engine/definition/tree.hpp"
#include "engine/definition/type_versions.hpp"
#include "engine/diff/audit.hpp"
#include "engine/incremental/apply/key_rules.hpp"
#include "engine/incremental/capture/consumers.hpp"
#include "engine/incremental/capture/delta.hpp"
#include "pg/time_zone.hpp"
#include "pg/write_locks.hpp"

// A refresh by keys has four steps:
// - check_capture() derives the rules again and compares the fingerprint with that of the last
// refresh. If
//   they differ, the captured keys cannot be trusted.
// - take_all() reads and deletes the captured rows that the snapshot sees. This also happens if all
//   rows are compared, because then no captured key is needed any more.
// - KeyRules turns the captured rows into a condition over the view's columns.
// - refresh_by_difference() compares the definition with the view under that condition. If a step
//   finds that the keys are unreliable or too many, the last step runs without a condition.
//
// Example: a definition that sums sales by region, after the amount of a sale in shop 3 was changed
//   delta table of sales: 3; look-up in shops: region 'north'
//   compare  SELECT * FROM (definition) WHERE region = 'north'
//   with     SELECT * FROM the view     WHERE region = 'north'

namespace metrics_refresh::engine {
namespace {

// Up to this number of keys, or this part of the view's rows, plan costs are not compared. Two more
// plans would take longer than the refresh of a few keys.
constexpr int64 kFewKeys = 1000;
constexpr int64 kPartOfRows = 10;
constexpr double kWorthwhile = 0.5;

struct QueryText {
  StringInfo text;
  Oid view;      // the view whose query is visited
  List** seen;   // plain views whose queries are already in the text
  List** types;  // types that are already in the text
};

// Returns false in any case, so that every function of the node is visited.
bool append_called(Oid function, void* context) {
  auto* const text = static_cast<StringInfo>(context);
  Reach reach = {};
  follow(reach, function);
  append_reach(text, reach);
  if (stability_of(function) == Stability::kSettings)
    appendStringInfoString(text, settings_of_stable_functions());
  return false;
}

// Queries of plain views are added as well: CREATE OR REPLACE VIEW does not change the definition
// that refers to them.
bool append_query(Node* node, void* context) {
  const auto* const query_text = static_cast<QueryText*>(context);
  if (node == nullptr) return false;
  if (!IsA(node, Query)) {
    (void)check_functions(node, append_called, query_text->text);
    ListCell* type;
    foreach (type, types_of(node))
      append_type(query_text->text, lfirst_oid(type), query_text->types);
    append_collations(query_text->text, node);
    if (const char* zone = zone_of_call(node))
      appendStringInfo(query_text->text, UINT64_FORMAT " ", pg::rules_of_zone(zone));
    return walk_expression(node, append_query, context);
  }
  auto* const query = reinterpret_cast<Query*>(node);
  ListCell* cell;
  foreach (cell, query->rtable) {
    const RangeTblEntry* entry = lfirst_node(RangeTblEntry, cell);
    // Before PostgreSQL 16, the query of a view lists the view itself twice, as OLD and NEW.
    if (entry->rtekind != RTE_RELATION || entry->relkind != RELKIND_VIEW ||
        entry->relid == query_text->view || list_member_oid(*query_text->seen, entry->relid))
      continue;
    CHECK_FOR_INTERRUPTS();
    *query_text->seen = lappend_oid(*query_text->seen, entry->relid);
    Relation const view = table_open(entry->relid, AccessShareLock);
    Query* const inner = get_view_query(view);
    appendStringInfoString(query_text->text, nodeToString(inner));
    QueryText inner_text = {query_text->text, entry->relid, query_text->seen, query_text->types};
    (void)append_query(reinterpret_cast<Node*>(inner), &inner_text);
    table_close(view, NoLock);
  }
  return query_tree_walker(query, as_visitor(append_query), context, 0);
}

// Returns a hash of everything that decides which keys a changed row has: the definition and all
// that it refers to, the triggers, and the storage of the view. 128 bits make collisions
// improbable. The storage is included because a refresh by another method replaces it.
const char* fingerprint_of(Relation view, const CaptureState& capture) {
  StringInfoData text;
  initStringInfo(&text);
  appendStringInfo(&text, "%s %u ", capture.identity, view->rd_rel->relfilenode);
  Query* const definition = definition_of(view);
  appendStringInfoString(&text, nodeToString(definition));
  List* seen = NIL;
  List* types = NIL;
  QueryText query_text = {&text, RelationGetRelid(view), &seen, &types};
  (void)append_query(reinterpret_cast<Node*>(definition), &query_text);
  const auto* const bytes = reinterpret_cast<const unsigned char*>(text.data);
  return psprintf(UINT64_FORMAT "-" UINT64_FORMAT, hash_bytes_extended(bytes, text.len, 0),
                  hash_bytes_extended(bytes, text.len, 1));
}

struct Captured {
  KeyRules* rules;  // null if the rows are only to be counted as taken
  int64 rows;
  bool is_truncated;  // whether a table was truncated after the snapshot
};

void on_captured(void* context, TupleTableSlot* slot) {
  auto* const captured = static_cast<Captured*>(context);
  // Beyond the limit, the rows are deleted but no longer evaluated: the refresh compares all rows.
  if (captured->rules != nullptr && ++captured->rows <= kMostKeys)
    captured->rules->add_captured(slot);
}

// Returns whether the running statement changes one of the tables, which is possible if a trigger
// refreshes the view. The snapshot may already see the changes, but the keys are written only when
// the statement ends. The keys of a foreign key's action are also missing while triggers of the
// other table run.
bool is_being_changed(const Derivation& derivation) {
  const bool in_trigger = DatumGetInt32(OidFunctionCall0(F_PG_TRIGGER_DEPTH)) > 0;
  bool found = false;
  for (int at = 0; at < derivation.table_count; ++at) {
    const Oid oid = derivation.tables[at].oid;
    Relation const table = table_open(oid, AccessShareLock);
    found = found || table->rd_refcnt > 1 || (in_trigger && pg::has_write_lock(oid));
    table_close(table, NoLock);
  }
  return found;
}

double cost_of(Query* query, const char* text, bool may_be_small) {
  return plan_query(query, text, may_be_small)->planTree->total_cost;
}

struct Refresh {
  Relation view;
  const KeyedState& state;
  const char* text;
  Derivation derivation;
  KeyedRefresh result;

  Refresh(Relation view_, const KeyedState& state_, const char* text_)
      : view(view_), state(state_), text(text_), derivation(), result() {}

  void check_capture();
  Node* find_changed_rows();
  const char* reason_too_many(const KeyRules& rules, Node* condition);
  void take_all(Captured* captured);
};

// Decides whether the captured keys can be relied on.
void Refresh::check_capture() {
  derivation =
      derive_keys(static_cast<Query*>(copyObjectImpl(definition_of(view))), RelationGetRelid(view));
  result.reason = state.reason;
  if (derivation.reason != nullptr) {
    result.reason = derivation.reason;
    return;
  }
  const CaptureState capture = read_capture(state.id, derivation);
  // The fingerprint is computed even if all rows are compared, because the next refresh needs it.
  result.fingerprint = fingerprint_of(view, capture);
  if (result.reason == nullptr && is_being_changed(derivation))
    result.reason = "a statement that changes one of its tables is under way";
  if (result.reason != nullptr) return;
  if (capture.reason != nullptr)
    result.reason = capture.reason;
  else if (state.fingerprint == nullptr)
    result.reason = "the first refresh since the strategy was set";
  else if (strcmp(state.fingerprint, result.fingerprint) != 0)
    result.reason =
        "the definition, its triggers or something that it depends on has changed since the last "
        "refresh";
}

void Refresh::take_all(Captured* captured) {
  // There are no rules if the keys are not used. The captured rows are deleted nevertheless.
  if (captured->rules == nullptr) return delete_captured(state.id);
  for (int at = 0; at < derivation.table_count; ++at) {
    const Oid delta = delta_oid(state.id, at);
    captured->rules->begin_table(at);
    take_delta(delta, on_captured, captured);
    // TRUNCATE is not transactional for older snapshots: they see an empty table, but no captured
    // row.
    if (was_truncated_since(delta)) captured->is_truncated = true;
  }
}

const char* Refresh::reason_too_many(const KeyRules& rules, Node* condition) {
  const int64 keys = rules.key_count();
  if (keys > kMostKeys) return psprintf(INT64_FORMAT " keys are too many", keys);
  if (keys <= kFewKeys || keys <= state.rows / kPartOfRows) return nullptr;
  const Query* definition = definition_of(view);
  // The planner compares the same definition with and without the condition, so only the ratio
  // counts.
  const double whole = cost_of(static_cast<Query*>(copyObjectImpl(definition)), text, false);
  const double part = cost_of(select_from_definition(definition, condition), text, true);
  if (part <= kWorthwhile * whole) return nullptr;
  return psprintf(INT64_FORMAT " keys of " INT64_FORMAT " rows are too many", keys, state.rows);
}

// Returns the condition for the rows that may have changed. Returns null if no row can have
// changed, or if `result.reason` says why all rows are compared.
Node* Refresh::find_changed_rows() {
  KeyRules rules;
  Captured captured = {};
  if (result.reason == nullptr) {
    rules.init(derivation, RelationGetDescr(view), text);
    captured.rules = &rules;
  }
  take_all(&captured);
  if (result.reason != nullptr) return nullptr;
  // The order of these reasons decides which one the user sees: the most specific comes first.
  if (rules.wholly_changed_table() != nullptr)
    result.reason =
        psprintf("any row of %s may have changed: by TRUNCATE, REFRESH, or too many at once",
                 rules.wholly_changed_table());
  else if (captured.is_truncated)
    result.reason = "a table was truncated a moment ago";
  else if (captured.rows > kMostKeys)
    result.reason = psprintf(INT64_FORMAT " changes are too many", captured.rows);
  else
    result.reason = state.weaker_reason;
  if (result.reason != nullptr) return nullptr;
  if (derivation.has_comparisons)
    rules.add_changed_by_time(state.last_now, GetCurrentTransactionStartTimestamp());
  // Look-ups can reach a whole table or too many rows, so both are checked again.
  rules.follow_joins();
  if (rules.wholly_changed_table() != nullptr)
    result.reason =
        psprintf("any row of %s may have changed as time passed", rules.wholly_changed_table());
  else if (rules.has_too_many())
    result.reason = "the changes reach too many rows";
  if (result.reason != nullptr) return nullptr;
  Node* const condition = rules.condition();
  result.keys = rules.key_count();
  if (condition != nullptr) result.reason = reason_too_many(rules, condition);
  return condition;
}

}  // namespace

KeyedRefresh refresh_by_keys(Oid oid, const KeyedState& state, const char* text) {
  Relation const view = open_for_refresh(oid);
  const MemoryContext outside = CurrentMemoryContext;
  // Everything that a refresh allocates is in this context. Only the texts of the result are copied
  // out.
  const MemoryContext context =
      AllocSetContextCreate(CurTransactionContext, "metrics_refresh keys", ALLOCSET_DEFAULT_SIZES);
  MemoryContextSwitchTo(context);
  Refresh refresh(view, state, text);
  refresh.check_capture();
  Node* const condition = refresh.find_changed_rows();
  KeyedRefresh result = refresh.result;
  Consumers consumers;
  if (result.reason != nullptr)
    result.difference = refresh_by_difference(view, nullptr, text, consumers, state.sums);
  else if (condition != nullptr)
    result.difference = refresh_by_difference(view, condition, text, consumers);
  if (result.reason == nullptr && state.audit) {
    UpdateActiveSnapshotCommandId();  // to see the rows that were just written
    Consumers consumers_of_audit;
    Audit audit = prepare_audit(fixed_rows_of(view));
    result.audit =
        refresh_by_difference(view, nullptr, text, consumers_of_audit, &audit.sums).written;
    if (!is_wrong(audit)) result.loose_reason = audit.fixed.loose_reason;
  }
  MemoryContextSwitchTo(outside);
  if (result.reason != nullptr) result.reason = pstrdup(result.reason);
  if (result.fingerprint != nullptr) result.fingerprint = pstrdup(result.fingerprint);
  if (result.loose_reason != nullptr) result.loose_reason = pstrdup(result.loose_reason);
  MemoryContextDelete(context);
  table_close(view, NoLock);
  return result;
}

// The rows are deleted even if the definition can no longer be kept by keys.
const char* discard_captured_keys(Oid oid, int64 id) {
  delete_captured(id);
  Relation const view = table_open(oid, NoLock);
  const Derivation derivation =
      derive_keys(static_cast<Query*>(copyObjectImpl(definition_of(view))), oid);
  const char* fingerprint = nullptr;
  if (derivation.reason == nullptr) {
    const CaptureState capture = read_capture(id, derivation);
    if (capture.reason == nullptr) fingerprint = fingerprint_of(view, capture);
  }
  table_close(view, NoLock);
  return fingerprint;
}

}  // namespace metrics_refresh::engine
