// The views of a group, and the role that refreshes them. Views are given as a list, as a schema,
// or as a relation whose dependents are wanted. Each form is turned into a list of GroupView.
#include "api/jobs/group_views.hpp"

#include <algorithm>
#include <set>

#include "api/access.hpp"
#include "engine/view/one_owner.hpp"
#include "extension/own_schema.hpp"
#include "extension/privilege.hpp"
#include "pg/compat.hpp"
#include "store/groups.hpp"

namespace metrics_refresh::api {
namespace {

void require_sane_count(std::size_t views) {
  if (views > store::kMaxMembers)
    throw pg::SqlError(
        ERRCODE_PROGRAM_LIMIT_EXCEEDED,
        "a group has at most " + std::to_string(store::kMaxMembers) + " materialized views",
        "Make several groups of them.");
}

// REQUIRES: the columns are oid and relispopulated, and each row is a materialized view.
std::vector<GroupView> read_views(const pg::Rows& rows) {
  require_sane_count(rows.size());
  std::vector<GroupView> views;
  for (std::size_t i = 0; i < rows.size(); ++i)
    views.push_back(
        {engine::read_view(rows.get_oid(i, "oid")), rows.get_bool(i, "relispopulated")});
  return views;
}

// Read from the cache, so that a list of views needs no query for each element.
bool is_populated(Oid view) {
  return pg::call([view] {
    const HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(view));
    if (!HeapTupleIsValid(tuple)) return false;
    const bool populated = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relispopulated;
    ReleaseSysCache(tuple);
    return populated;
  });
}

}  // namespace

std::vector<GroupView> listed_views(Datum regclass_array) {
  struct Elements {
    Datum* values;
    int count;
  };
  // The struct is trivially destructible, as pg::call() requires.
  const Elements elements = pg::call([regclass_array] {
    Elements found = {};
    bool* nulls;
    deconstruct_array(DatumGetArrayTypeP(regclass_array), REGCLASSOID, sizeof(Oid), true,
                      TYPALIGN_INT, &found.values, &nulls, &found.count);
    for (int i = 0; i < found.count; ++i)
      if (nulls[i])
        ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                errmsg("views must not contain NULL"));
    return found;
  });
  if (elements.count == 0)
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "views must not be empty");
  require_sane_count(static_cast<std::size_t>(elements.count));
  std::vector<GroupView> views;
  for (int i = 0; i < elements.count; ++i) {
    const Oid oid = DatumGetObjectId(elements.values[i]);
    const engine::View view = engine::read_view(oid);
    // Quadratic, but the length was limited above.
    for (const GroupView& other : views)
      if (other.view.oid == oid)
        throw pg::SqlError(
            ERRCODE_INVALID_PARAMETER_VALUE,
            "views names " + engine::qualified_name(view.schema, view.name) + " twice");
    views.push_back({view, is_populated(oid)});
  }
  return views;
}

// Privileges are not checked here. group_refresher() does that for each view.
std::vector<GroupView> views_of_schema(const std::string& schema) {
  const char* name = schema.c_str();
  const Oid oid = pg::call([name] { return get_namespace_oid(name, true); });
  if (!OidIsValid(oid))
    throw pg::SqlError(ERRCODE_UNDEFINED_SCHEMA, "schema \"" + schema + "\" does not exist");
  std::vector<GroupView> views;
  extension::as_extension([&](pg::Spi& spi) {
    views =
        read_views(spi.query("SELECT oid, relispopulated FROM pg_class"
                             " WHERE relnamespace = $1 AND relkind = 'm' ORDER BY relname",
                             {pg::Param::oid(oid)}));
  });
  return views;
}

// With no view in the schema there is nothing that group_refresher() could check.
void require_rights_over_schema(const std::string& schema) {
  const char* name = schema.c_str();
  const bool owns = pg::call([name] {
    const Oid oid = get_namespace_oid(name, false);
    return pg::owns(NamespaceRelationId, oid);
  });
  if (!owns && !extension::is_super_admin())
    throw pg::SqlError(ERRCODE_INSUFFICIENT_PRIVILEGE, "must be owner of schema " + schema,
                       "The schema contains no materialized view that you may refresh.");
}

std::vector<GroupView> dependents_of(Oid relation) {
  const char kind = pg::call([relation] { return get_rel_relkind(relation); });
  if (kind == '\0')
    throw pg::SqlError(ERRCODE_UNDEFINED_TABLE,
                       "relation with OID " + std::to_string(relation) + " does not exist");
  if (std::string_view("rpvmf").find(kind) == std::string_view::npos)
    throw pg::SqlError(ERRCODE_WRONG_OBJECT_TYPE, "no view can read this relation",
                       "Name a table, a view or a materialized view.");
  std::vector<GroupView> views;
  extension::as_extension([&](pg::Spi& spi) {
    views = read_views(spi.query(
        // Two recursive steps: first up from the relation to all its inheritance parents, because a
        // change in a child is visible in them; then from view to view.
        "WITH RECURSIVE base AS (SELECT $1::oid AS oid UNION"
        "  SELECT i.inhparent FROM pg_inherits i JOIN base b ON b.oid = i.inhrelid),"
        " dependent AS ("
        "  SELECT v.view_oid FROM metrics_refresh_internal.view_dependencies v"
        "   JOIN base b ON b.oid = v.depends_on_oid"
        "  UNION SELECT v.view_oid FROM metrics_refresh_internal.view_dependencies v"
        "   JOIN dependent d ON d.view_oid = v.depends_on_oid)"
        " SELECT c.oid, c.relispopulated FROM dependent d JOIN pg_class c ON c.oid = d.view_oid"
        " ORDER BY c.oid::regclass::text",
        {pg::Param::oid(relation)}));
  });
  return views;
}

bool may_refresh_all(Oid role, const std::vector<GroupView>& views) {
  return std::all_of(views.begin(), views.end(), [role](const GroupView& member) {
    return engine::has_view_rights(role, member.view);
  });
}

// A group runs as one role. The caller is preferred. A super admin has no rights over the views as
// such, so an owner of one of the views is used. Any other caller gets the error for the first view
// without rights.
Oid group_refresher(const std::vector<GroupView>& views) {
  const Oid caller = GetUserId();
  if (may_refresh_all(caller, views)) return caller;
  if (!extension::is_super_admin())
    for (const GroupView& member : views) engine::require_view_rights(caller, member.view);
  for (const GroupView& member : views)
    if (may_refresh_all(member.view.owner, views)) return member.view.owner;
  throw pg::SqlError(ERRCODE_INSUFFICIENT_PRIVILEGE,
                     "none of their owners may refresh all of these materialized views",
                     "A group belongs to one role: make one for the views of each owner, or have a "
                     "superuser make it.");
}

std::vector<store::ViewName> names_of(const std::vector<GroupView>& views) {
  std::vector<store::ViewName> names;
  for (const GroupView& member : views) names.emplace_back(member.view.schema, member.view.name);
  return names;
}

std::vector<Oid> owners_of(const std::vector<GroupView>& views, Oid job_owner) {
  std::set<Oid> owners{job_owner};
  for (const GroupView& member : views) owners.insert(member.view.owner);
  return {owners.begin(), owners.end()};
}

void require_one_owner(const std::vector<GroupView>& views) {
  std::vector<Oid> owners;
  for (const GroupView& member : views) owners.push_back(member.view.owner);
  engine::require_one_owner(owners);
}

}  // namespace metrics_refresh::api
