// One spelling for what the server's versions from 15 on call differently. Only this folder asks
// for the version. Queries and their execution have files of their own, compat_query.hpp and
// compat_execution.hpp. Functions that can raise say so: REQUIRES: inside pg::call().
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::pg {

/// Whether there is the privilege MAINTAIN, which allows a REFRESH.
inline constexpr bool kHasMaintain = PG_VERSION_NUM >= 170000;

/// Whether a REFRESH runs with a search_path that core fixes.
inline constexpr bool kRefreshFixesPath = PG_VERSION_NUM >= 170000;

/// The arguments of a signal handler, as given to another: `void on_signal(SIGNAL_ARGS) {
/// other(MR_SIGNAL_ARGS); }`
#if PG_VERSION_NUM >= 190000
#define MR_SIGNAL_ARGS postgres_signal_arg, pg_siginfo
#else
#define MR_SIGNAL_ARGS postgres_signal_arg
#endif

/// What replaces a table's rows at once gives it another number.
#if PG_VERSION_NUM >= 160000
using StorageNumber = RelFileNumber;
#else
using StorageNumber = Oid;
#endif

/// Whether the current user owns a database, relation or schema. REQUIRES: inside pg::call().
inline bool owns(Oid class_id, Oid object) {
#if PG_VERSION_NUM >= 160000
  return object_ownercheck(class_id, object, GetUserId());
#else
  if (class_id == DatabaseRelationId) return pg_database_ownercheck(object, GetUserId());
  if (class_id == RelationRelationId) return pg_class_ownercheck(object, GetUserId());
  if (class_id == NamespaceRelationId) return pg_namespace_ownercheck(object, GetUserId());
  elog(ERROR, "nobody asks who owns objects of the class %u", class_id);
  pg_unreachable();
#endif
}

/// Whether the privilege MAINTAIN was granted to a role. REQUIRES: inside pg::call().
inline bool may_maintain([[maybe_unused]] Oid role, [[maybe_unused]] Oid view) {
#if PG_VERSION_NUM >= 170000
  return pg_class_aclcheck(view, role, ACL_MAINTAIN) == ACLCHECK_OK;
#else
  return false;
#endif
}

/// The index of a primary key that is checked at once, or InvalidOid. REQUIRES: inside pg::call().
inline Oid primary_key_index(Relation table) {
#if PG_VERSION_NUM >= 180000
  return RelationGetPrimaryKeyIndex(table, false);
#else
  return RelationGetPrimaryKeyIndex(table);
#endif
}

/// Whether columns of a table are generated when they are read, from PostgreSQL 18 on.
inline bool has_virtual_columns([[maybe_unused]] Relation table) {
#if PG_VERSION_NUM >= 180000
  const TupleConstr* constraints = RelationGetDescr(table)->constr;
  return constraints != nullptr && constraints->has_generated_virtual;
#else
  return false;
#endif
}

/// The parts of a qualified name. REQUIRES: inside pg::call().
inline List* qualified_names(const char* name) {
#if PG_VERSION_NUM >= 160000
  return stringToQualifiedNameList(name, nullptr);
#else
  return stringToQualifiedNameList(name);
#endif
}

/// A process of this server by its place in the list of them, or null. REQUIRES: inside pg::call().
inline const PgBackendStatus* status_at(int place) {
#if PG_VERSION_NUM >= 160000
  LocalPgBackendStatus* const found = pgstat_get_local_beentry_by_index(place);
#else
  LocalPgBackendStatus* const found = pgstat_fetch_stat_local_beentry(place);
#endif
  return found != nullptr ? &found->backendStatus : nullptr;
}

/// The functions of a name that take `arguments` arguments, or any number of them where that is -1,
/// with VARIADIC and defaults expanded as asked. REQUIRES: inside pg::call().
inline FuncCandidateList functions_named(List* names, int arguments, bool expand) {
#if PG_VERSION_NUM >= 190000
  int flags = 0;
  return FuncnameGetCandidates(names, arguments, NIL, expand, expand, false, true, &flags);
#else
  return FuncnameGetCandidates(names, arguments, NIL, expand, expand, false, true);
#endif
}

/// The operators of a name. REQUIRES: inside pg::call().
inline FuncCandidateList operators_named(List* names) {
#if PG_VERSION_NUM >= 190000
  int flags = 0;
  return OpernameGetCandidates(names, '\0', true, &flags);
#else
  return OpernameGetCandidates(names, '\0', true);
#endif
}

/// A hash table in shared memory that holds `size` entries. REQUIRES: inside pg::call().
inline HTAB* init_shared_hash(const char* name, long size, HASHCTL* control, int flags) {
#if PG_VERSION_NUM >= 190000
  return ShmemInitHash(name, size, control, flags);
#else
  return ShmemInitHash(name, size, size, control, flags);
#endif
}

}  // namespace metrics_refresh::pg
