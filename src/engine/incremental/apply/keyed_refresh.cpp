#include "engine/incremental/apply/keyed_refresh.hpp"

#include "engine/definition/definition.hpp"
#include "engine/definition/functions.hpp"
#include "engine/definition/key_queries.hpp"
#include "engine/definition/reach.hpp"
#include "engine/definition/stable_functions.hpp"
#include "engine/definition/tree.hpp"
#include "engine/definition/type_versions.hpp"
#include "engine/incremental/apply/key_rules.hpp"
#include "engine/incremental/capture/delta.hpp"
#include "pg/time_zone.hpp"
#include "pg/write_locks.hpp"

namespace metrics_refresh::engine {
namespace {

// Up to here no other look is taken at what it costs.
constexpr int64 kFewKeys = 1000;
constexpr int64 kPartOfRows = 10;
constexpr double kWorthwhile = 0.5;

struct QueryText {
  StringInfo text;
  Oid view;      // whose query it is
  List** seen;   // plain views that are in the text already
  List** types;  // likewise
};

// Always false, so that all functions of the node are looked at.
bool append_called(Oid function, void* context) {
  auto* const text = static_cast<StringInfo>(context);
  Reach reach = {};
  follow(reach, function);
  append_reach(text, reach);
  if (stability_of(function) == Stability::kSettings)
    appendStringInfoString(text, settings_of_stable_functions());
  return false;
}

// Queries of plain views as well: they are replaced without a trace in the definition.
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
    // Before PostgreSQL 16 a view's query has the view in its list twice, as OLD and NEW.
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
  KeyRules* rules;  // null: nobody wants to know
  int64 rows;
  bool is_truncated;  // a table, after the snapshot
};

void on_captured(void* context, TupleTableSlot* slot) {
  auto* const captured = static_cast<Captured*>(context);
  if (captured->rules != nullptr && ++captured->rows <= kMostKeys)
    captured->rules->add_captured(slot);
}

// By the statement that calls this, in a trigger for one: what it has changed may be seen already,
// and the keys are written when it ends. A foreign key's action on a table has not, either, when
// triggers of the other table run.
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

  void check();
  Node* collect();
  const char* why_too_many(const KeyRules& rules, Node* condition);
  void take_all(Captured* captured);
};

// Whether the captured keys can be relied on.
void Refresh::check() {
  derivation =
      derive_keys(static_cast<Query*>(copyObjectImpl(definition_of(view))), RelationGetRelid(view));
  result.fallback = state.obstacle;
  if (derivation.refusal != nullptr) {
    result.fallback = derivation.refusal;
    return;
  }
  const CaptureState capture = read_capture(state.id, derivation);
  result.fingerprint = fingerprint_of(view, capture);
  if (result.fallback == nullptr && is_being_changed(derivation))
    result.fallback = "a statement that changes one of its tables is under way";
  if (result.fallback != nullptr) return;
  if (capture.fault != nullptr)
    result.fallback = capture.fault;
  else if (state.fingerprint == nullptr)
    result.fallback = "the first refresh since the strategy was set";
  else if (strcmp(state.fingerprint, result.fingerprint) != 0)
    result.fallback =
        "the definition, its triggers or what it was made in have changed since the last refresh";
}

void Refresh::take_all(Captured* captured) {
  if (captured->rules == nullptr) return clear_deltas(state.id);
  for (int at = 0; at < derivation.table_count; ++at) {
    const Oid delta = delta_oid(state.id, at);
    captured->rules->begin_table(at);
    take_delta(delta, on_captured, captured);
    if (was_truncated_since(delta)) captured->is_truncated = true;
  }
}

const char* Refresh::why_too_many(const KeyRules& rules, Node* condition) {
  const int64 keys = rules.key_count();
  if (keys > kMostKeys) return psprintf(INT64_FORMAT " keys are too many", keys);
  if (keys <= kFewKeys || keys <= state.rows / kPartOfRows) return nullptr;
  const Query* definition = definition_of(view);
  const double whole = cost_of(static_cast<Query*>(copyObjectImpl(definition)), text, false);
  const double part = cost_of(select_from_definition(definition, condition), text, true);
  if (part <= kWorthwhile * whole) return nullptr;
  return psprintf(INT64_FORMAT " keys of " INT64_FORMAT " rows are too many", keys, state.rows);
}

// The condition that says which rows could have changed; null where none could, or all.
Node* Refresh::collect() {
  KeyRules rules{};
  Captured captured = {};
  if (result.fallback == nullptr) {
    rules.init(derivation, RelationGetDescr(view), text);
    captured.rules = &rules;
  }
  take_all(&captured);
  if (result.fallback != nullptr) return nullptr;
  if (rules.whole_table() != nullptr)
    result.fallback =
        psprintf("any row of %s may have changed: by TRUNCATE, REFRESH, or too many at once",
                 rules.whole_table());
  else if (captured.is_truncated)
    result.fallback = "a table was truncated a moment ago";
  else if (captured.rows > kMostKeys)
    result.fallback = psprintf(INT64_FORMAT " changes are too many", captured.rows);
  else
    result.fallback = state.missed;
  if (result.fallback != nullptr) return nullptr;
  if (derivation.has_edges) rules.add_passed(state.last_now, GetCurrentTransactionStartTimestamp());
  rules.follow_joins();
  if (rules.whole_table() != nullptr)
    result.fallback =
        psprintf("any row of %s may have changed as time passed", rules.whole_table());
  else if (rules.has_too_many())
    result.fallback = "the changes reach too many rows";
  if (result.fallback != nullptr) return nullptr;
  Node* const condition = rules.condition();
  result.keys = rules.key_count();
  if (condition != nullptr) result.fallback = why_too_many(rules, condition);
  return condition;
}

}  // namespace

KeyedRefresh refresh_by_keys(Oid oid, const KeyedState& state, const char* text) {
  Relation const view = open_for_refresh(oid);
  const MemoryContext outside = CurrentMemoryContext;
  const MemoryContext context =
      AllocSetContextCreate(CurTransactionContext, "metrics_refresh keys", ALLOCSET_DEFAULT_SIZES);
  MemoryContextSwitchTo(context);
  Refresh refresh(view, state, text);
  refresh.check();
  Node* const condition = refresh.collect();
  KeyedRefresh result = refresh.result;
  if (result.fallback != nullptr)
    result.difference = refresh_by_difference(view, nullptr, text);
  else if (condition != nullptr)
    result.difference = refresh_by_difference(view, condition, text);
  if (result.fallback == nullptr && state.audit) {
    UpdateActiveSnapshotCommandId();  // sees what has just been written
    result.audit = refresh_by_difference(view, nullptr, text).written;
  }
  MemoryContextSwitchTo(outside);
  if (result.fallback != nullptr) result.fallback = pstrdup(result.fallback);
  if (result.fingerprint != nullptr) result.fingerprint = pstrdup(result.fingerprint);
  MemoryContextDelete(context);
  table_close(view, NoLock);
  return result;
}

const char* settle_keys(Oid oid, int64 id) {
  clear_deltas(id);
  Relation const view = table_open(oid, NoLock);
  const Derivation derivation =
      derive_keys(static_cast<Query*>(copyObjectImpl(definition_of(view))), oid);
  const char* fingerprint = nullptr;
  if (derivation.refusal == nullptr) {
    const CaptureState capture = read_capture(id, derivation);
    if (capture.fault == nullptr) fingerprint = fingerprint_of(view, capture);
  }
  table_close(view, NoLock);
  return fingerprint;
}

}  // namespace metrics_refresh::engine
