#include "pg/role.hpp"

namespace metrics_refresh::pg {

bool is_superuser(Oid role) {
  return call([role] { return superuser_arg(role); });
}

bool has_rights_of(Oid role) { return has_rights_of(GetUserId(), role); }

bool has_rights_of(Oid member, Oid role) {
  return call([=] { return has_privs_of_role(member, role); });
}

Oid role_oid(const std::string& name) {
  const char* text = name.c_str();
  return call([text] { return get_role_oid(text, true); });
}

std::string role_name(Oid role) {
  const char* name = call([role]() -> const char* { return GetUserNameFromId(role, true); });
  return name != nullptr ? name : "";
}

// The check below would raise an error for a missing function.
bool may_execute(Oid function, Oid role) {
  if (!SearchSysCacheExists1(PROCOID, ObjectIdGetDatum(function))) return false;
#if PG_VERSION_NUM >= 160000
  return object_aclcheck(ProcedureRelationId, function, role, ACL_EXECUTE) == ACLCHECK_OK;
#else
  return pg_proc_aclcheck(function, role, ACL_EXECUTE) == ACLCHECK_OK;
#endif
}

bool can_connect(Oid role) {
  return call([role] {
#if PG_VERSION_NUM >= 160000
    return object_aclcheck(DatabaseRelationId, MyDatabaseId, role, ACL_CONNECT) == ACLCHECK_OK;
#else
    return pg_database_aclcheck(MyDatabaseId, role, ACL_CONNECT) == ACLCHECK_OK;
#endif
  });
}

bool can_log_in(Oid role) {
  return call([role] {
    const HeapTuple tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
    if (!HeapTupleIsValid(tuple)) return false;
    const bool answer = reinterpret_cast<Form_pg_authid>(GETSTRUCT(tuple))->rolcanlogin;
    ReleaseSysCache(tuple);
    return answer;
  });
}

// The server checks VALID UNTIL for logins with a password. The run of a command is treated like
// such a login.
bool has_password_expired(Oid role) {
  return call([role] {
    const HeapTuple tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
    if (!HeapTupleIsValid(tuple)) return false;
    bool never = true;
    const Datum until = SysCacheGetAttr(AUTHOID, tuple, Anum_pg_authid_rolvaliduntil, &never);
    const bool expired = !never && DatumGetTimestampTz(until) < GetCurrentTimestamp();
    ReleaseSysCache(tuple);
    return expired;
  });
}

}  // namespace metrics_refresh::pg
