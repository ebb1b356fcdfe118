// Hides the differences between the supported versions of the server, which is 15 and later. Only
// this folder uses the version number. Query trees and execution have files of their own,
// compat_query.hpp and compat_execution.hpp. A function that may raise an error is marked with
// REQUIRES: inside pg::call().
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::pg {

/// True if the privilege MAINTAIN exists, which allows a REFRESH.
inline constexpr bool kHasMaintain = PG_VERSION_NUM >= 170000;

/// True if the server runs a REFRESH with a fixed search_path.
inline constexpr bool kRefreshFixesPath = PG_VERSION_NUM >= 170000;

/// The SQLSTATE of transaction_timeout, for which servers before version 17 have no macro.
inline constexpr int kTransactionTimeout = MAKE_SQLSTATE('2', '5', 'P', '0', '4');

/// The arguments of a signal handler when it calls another one: `void on_signal(SIGNAL_ARGS) {
/// other(MR_SIGNAL_ARGS); }`
#if PG_VERSION_NUM >= 190000
#define MR_SIGNAL_ARGS postgres_signal_arg, pg_siginfo
#else
#define MR_SIGNAL_ARGS postgres_signal_arg
#endif

/// The number of the storage of a table. It changes when all rows are replaced at once.
#if PG_VERSION_NUM >= 160000
using StorageNumber = RelFileNumber;
#else
using StorageNumber = Oid;
#endif

/// True if the current user owns a database, relation or schema. REQUIRES: inside pg::call().
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

/// True if a role has the privilege MAINTAIN. REQUIRES: inside pg::call().
inline bool may_maintain([[maybe_unused]] Oid role, [[maybe_unused]] Oid view) {
#if PG_VERSION_NUM >= 170000
  return pg_class_aclcheck(view, role, ACL_MAINTAIN) == ACLCHECK_OK;
#else
  return false;
#endif
}

/// The index of a primary key that is not deferrable, or InvalidOid. REQUIRES: inside pg::call().
inline Oid primary_key_index(Relation table) {
#if PG_VERSION_NUM >= 180000
  return RelationGetPrimaryKeyIndex(table, false);
#else
  return RelationGetPrimaryKeyIndex(table);
#endif
}

/// True if a table has columns that are generated when they are read. They exist since PostgreSQL
/// 18.
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

/// A process of this server by its position in the list, or null. REQUIRES: inside pg::call().
inline const PgBackendStatus* status_at(int place) {
#if PG_VERSION_NUM >= 160000
  LocalPgBackendStatus* const found = pgstat_get_local_beentry_by_index(place);
#else
  LocalPgBackendStatus* const found = pgstat_fetch_stat_local_beentry(place);
#endif
  return found != nullptr ? &found->backendStatus : nullptr;
}

/// The functions with a name that take `arguments` arguments, or any number if that is -1. `expand`
/// includes functions with VARIADIC and default arguments. REQUIRES: inside pg::call().
inline FuncCandidateList functions_named(List* names, int arguments, bool expand) {
#if PG_VERSION_NUM >= 190000
  int flags = 0;
  return FuncnameGetCandidates(names, arguments, NIL, expand, expand, false, true, &flags);
#else
  return FuncnameGetCandidates(names, arguments, NIL, expand, expand, false, true);
#endif
}

/// The operators with a name. REQUIRES: inside pg::call().
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
