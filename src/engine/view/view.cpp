// Reads a materialized view from the catalogs, and finds the view that a job means.
//
// A job stores the oid of its view, the name that was given, and the last known name. After a
// rename, the oid finds the view. After DROP and CREATE, the name finds the new view. Example:
//   CREATE m2; DROP m; ALTER m2 RENAME TO m  -- the job of m goes on with the new view
// While the old view exists, the name alone must not give its job to a view of another role. So the
// owner of the new view must have the rights of the owner of the old one.
#include "engine/view/view.hpp"

#include "engine/definition/definition.hpp"
#include "extension/own_schema.hpp"
#include "pg/access_method.hpp"
#include "pg/compat.hpp"
#include "pg/role.hpp"

namespace metrics_refresh::engine {
namespace {

struct KeyedView {
  bool is_set_up;
  const char* demoted;  // the reason why it is refreshed by diff nevertheless, or null
};

// Column numbers of the table incremental_view in the install script.
constexpr AttrNumber kSchema = 2;
constexpr AttrNumber kName = 3;
constexpr AttrNumber kViewOid = 4;
constexpr AttrNumber kDemoted = 9;

// A row that was restored from a dump before its view has no oid, so the name is compared.
bool is_of(HeapTuple row, TupleDesc description, Oid view) {
  bool is_null;
  const Oid bound = DatumGetObjectId(heap_getattr(row, kViewOid, description, &is_null));
  if (OidIsValid(bound)) return bound == view;
  const char* schema = NameStr(*DatumGetName(heap_getattr(row, kSchema, description, &is_null)));
  const char* name = NameStr(*DatumGetName(heap_getattr(row, kName, description, &is_null)));
  return strcmp(name, get_rel_name(view)) == 0 &&
         strcmp(schema, get_namespace_name(get_rel_namespace(view))) == 0;
}

// Reads the table incremental_view. The table is read directly and not by a query, because the
// transaction may have no snapshot yet. At repeatable read, the snapshot must not be taken while
// locks are still to be acquired.
KeyedView find_keyed_view(Oid view) {
  KeyedView found = {};
  Relation const table = extension::open_own_table("incremental_view", AccessShareLock);
  if (table == nullptr) return found;
  TupleDesc const description = RelationGetDescr(table);
  // A null snapshot means the current one of the catalogs.
  SysScanDesc const scan = systable_beginscan(table, InvalidOid, false, nullptr, 0, nullptr);
  for (HeapTuple row; HeapTupleIsValid(row = systable_getnext(scan));) {
    if (!is_of(row, description, view)) continue;
    bool is_null;
    const Datum demoted = heap_getattr(row, kDemoted, description, &is_null);
    found = {true, is_null ? nullptr : TextDatumGetCString(demoted)};
  }
  systable_endscan(scan);
  table_close(table, AccessShareLock);
  return found;
}

// The conditions of ExecRefreshMatView() for an index that CONCURRENTLY can use.
bool is_usable(Relation index) {
  const Form_pg_index form = index->rd_index;
  if (index->rd_rel->relam != BTREE_AM_OID || !form->indisunique || !form->indimmediate ||
      !form->indisvalid || is_partial(index))
    return false;
  for (int i = 0; i < form->indnatts; ++i)
    if (form->indkey.values[i] <= 0) return false;  // an expression or a system column
  return form->indnatts > 0;
}

struct PlainView {
  bool exists;
  bool is_matview;
  Oid owner;
  const char* schema;
  const char* name;
};

PlainView read_plain(Oid oid) {
  PlainView view = {};
  const HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(oid));
  if (!HeapTupleIsValid(tuple)) return view;
  const auto* form = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple));
  view.exists = true;
  view.is_matview = form->relkind == RELKIND_MATVIEW;
  view.owner = form->relowner;
  view.schema = get_namespace_name(form->relnamespace);
  view.name = pstrdup(NameStr(form->relname));
  ReleaseSysCache(tuple);
  return view;
}

struct PlainState {
  bool exists;
  bool populated;
  bool is_heap;
  const char* access_method;
  const char* unique_index;  // or null
};

// `exists` is false if the view does not exist any more. It is also false if another session holds
// an index exclusively and `may_wait` is false. REQUIRES: the relation is locked in
// AccessShareLock. This function releases the lock.
PlainState read_plain_state(Oid oid, bool may_wait) {
  Relation relation = try_relation_open(oid, NoLock);
  if (relation == nullptr) {
    UnlockRelationOid(oid, AccessShareLock);
    return {};
  }
  const Oid access_method = relation->rd_rel->relam;
  PlainState state = {true, relation->rd_rel->relispopulated, pg::is_heap(access_method),
                      get_am_name(access_method), nullptr};
  List* indexes = RelationGetIndexList(relation);
  ListCell* cell;
  foreach (cell, indexes) {
    const Oid index_oid = lfirst_oid(cell);
    if (may_wait)
      LockRelationOid(index_oid, AccessShareLock);
    else if (!ConditionalLockRelationOid(index_oid, AccessShareLock)) {
      state.exists = false;
      break;
    }
    Relation index = index_open(index_oid, NoLock);
    if (state.unique_index == nullptr && is_usable(index))
      state.unique_index = pstrdup(RelationGetRelationName(index));
    index_close(index, AccessShareLock);
  }
  relation_close(relation, AccessShareLock);
  return state;
}

ViewState to_state(const PlainState& state) {
  return {state.populated,
          state.is_heap,
          state.access_method != nullptr ? state.access_method : "",
          state.unique_index != nullptr ? state.unique_index : "",
          false,
          ""};
}

// The owner of a relation, or InvalidOid.
Oid plain_owner(Oid oid) {
  const HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(oid));
  if (!HeapTupleIsValid(tuple)) return InvalidOid;
  const Oid owner = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relowner;
  ReleaseSysCache(tuple);
  return owner;
}

// store::BoundView without its strings.
struct PlainBinding {
  const char* schema;
  const char* name;
  const char* given_schema;
  const char* given_name;
  Oid remembered;
  Oid owner;
};

PlainBinding plain(const store::BoundView& bound) {
  return {bound.view_schema.c_str(), bound.view_name.c_str(), bound.given_schema.c_str(),
          bound.given_name.c_str(),  bound.view_oid,          bound.owner_oid};
}

bool is_matview(Oid oid) { return OidIsValid(oid) && get_rel_relkind(oid) == RELKIND_MATVIEW; }

// The materialized view of that name, or InvalidOid.
Oid named_view(const char* schema, const char* name) {
  const Oid space = get_namespace_oid(schema, true);
  const Oid named = OidIsValid(space) ? get_relname_relid(name, space) : InvalidOid;
  return is_matview(named) ? named : InvalidOid;
}

bool may_refresh(Oid role, Oid view, Oid owner) {
  return has_privs_of_role(role, owner) || pg::may_maintain(role, view);
}

// True if the job of `view` may go on with the view `other`. The owner of `other` must have the
// rights of the owner of `view`, and so could do anything with it.
bool may_stand_for(Oid other, Oid view) {
  return other == view || has_privs_of_role(plain_owner(other), plain_owner(view));
}

}  // namespace

std::string qualified_name(const std::string& schema, const std::string& name) {
  const char* first = schema.c_str();
  const char* second = name.c_str();
  // A job may be named after the result, so it must not depend on the session's setting.
  struct Scope {
    bool saved = std::exchange(quote_all_identifiers, false);
    ~Scope() { quote_all_identifiers = saved; }
  } scope;
  return pg::call([=]() -> const char* { return quote_qualified_identifier(first, second); });
}

View read_view(Oid oid) {
  const PlainView view = pg::call([oid] { return read_plain(oid); });
  if (!view.exists)
    throw pg::SqlError(ERRCODE_UNDEFINED_TABLE,
                       "relation with OID " + std::to_string(oid) + " does not exist");
  if (!view.is_matview)
    throw pg::SqlError(ERRCODE_WRONG_OBJECT_TYPE,
                       "\"" + std::string(view.name) + "\" is not a materialized view",
                       "Only what CREATE MATERIALIZED VIEW made can be refreshed.");
  return {oid, view.schema != nullptr ? view.schema : "", view.name, view.owner};
}

ViewState read_state(const View& view) {
  const Oid oid = view.oid;
  const PlainState state = pg::call([oid] {
    LockRelationOid(oid, AccessShareLock);
    return read_plain_state(oid, true);
  });
  if (!state.exists)
    throw pg::SqlError(ERRCODE_UNDEFINED_TABLE,
                       "materialized view \"" + view.name + "\" does not exist any more");
  ViewState result = to_state(state);
  // Keys need a heap. ALTER MATERIALIZED VIEW ... SET ACCESS METHOD may have changed that after the
  // set-up.
  const KeyedView keyed = pg::call([oid] { return find_keyed_view(oid); });
  result.is_incremental = keyed.is_set_up && result.is_heap;
  if (keyed.demoted != nullptr) result.demoted = keyed.demoted;
  return result;
}

std::optional<ViewState> try_read_state(const View& view) {
  const Oid oid = view.oid;
  if (!pg::call([oid] { return ConditionalLockRelationOid(oid, AccessShareLock); }))
    return std::nullopt;
  const PlainState state = pg::call([oid] { return read_plain_state(oid, false); });
  if (!state.exists) return std::nullopt;
  return to_state(state);
}

bool has_view_rights(Oid role, const View& view) {
  const Oid oid = view.oid;
  const Oid owner = view.owner;
  return pg::call([=] { return may_refresh(role, oid, owner); });
}

void require_view_rights(Oid role, const View& view) {
  if (has_view_rights(role, view)) return;
  throw pg::SqlError(ERRCODE_INSUFFICIENT_PRIVILEGE,
                     "must be owner of materialized view " + view.name,
                     "Its owner, members of that role and super admins may refresh it.",
                     "The role " + pg::role_name(role) + " lacks the rights of the owner, " +
                         pg::role_name(view.owner) + ".");
}

Oid resolve_view(const store::BoundView& bound) {
  const PlainBinding binding = plain(bound);
  return pg::call([&binding]() -> Oid {
    // The lookups take no locks, so the result may change until the caller locks it.
    const Oid given = named_view(binding.given_schema, binding.given_name);
    const Oid named = named_view(binding.schema, binding.name);
    const Oid remembered = is_matview(binding.remembered) ? binding.remembered : InvalidOid;
    if (!OidIsValid(remembered)) return OidIsValid(named) ? named : given;
    if (OidIsValid(given) && may_stand_for(given, remembered) &&
        (!OidIsValid(binding.owner) || may_refresh(binding.owner, given, plain_owner(given))))
      return given;
    return OidIsValid(named) && may_stand_for(named, remembered) ? named : remembered;
  });
}

Oid namesake(const store::BoundView& bound, Oid meant) {
  const PlainBinding binding = plain(bound);
  return pg::call([&binding, meant]() -> Oid {
    const bool renamed = binding.given_name[0] != '\0';
    const Oid found = renamed ? named_view(binding.given_schema, binding.given_name)
                              : named_view(binding.schema, binding.name);
    return found == meant ? InvalidOid : found;
  });
}

Oid relation_owner(Oid oid) {
  return pg::call([oid] { return plain_owner(oid); });
}

}  // namespace metrics_refresh::engine
