#include "extension/privilege.hpp"

#include "extension/settings.hpp"
#include "pg/identity.hpp"

namespace metrics_refresh::pg {
namespace {

// The function that metrics_refresh.admin_check names, or InvalidOid with the reason.
Oid admin_check_function(std::string& problem) {
  const std::string setting = settings::admin_check();
  const char* name = setting.c_str();
  const Oid function = call([name] {
    List* names = stringToQualifiedNameList(name
#if PG_VERSION_NUM >= 160000
                                            ,
                                            nullptr
#endif
    );
    return LookupFuncName(names, 0, nullptr, true);
  });
  if (!OidIsValid(function)) {
    problem = "metrics_refresh.admin_check names " + setting + "(), which does not exist";
    return InvalidOid;
  }
  const bool usable = call([=] {
    return get_func_rettype(function) == BOOLOID && !get_func_retset(function) &&
           get_func_prokind(function) == PROKIND_FUNCTION;
  });
  if (!usable) {
    problem = "metrics_refresh.admin_check names " + setting + "(), which does not return boolean";
    return InvalidOid;
  }
  return function;
}

bool passes_admin_check() {
  std::string problem;
  const Oid function = admin_check_function(problem);
  if (!OidIsValid(function)) {
    const char* text = problem.c_str();
    call([text] {
      ereport(WARNING, errcode(ERRCODE_CONFIG_FILE_ERROR), errmsg_internal("%s", text),
              errhint("Nobody is a super admin by it until the setting is corrected."));
    });
    return false;
  }
  bool accepted = false;
  // A fixed search_path: else the caller could put a table of its own before the function's.
  with_fixed_search_path([&] {
    accepted = call([function] {
      if (!may_execute(function, GetUserId())) return false;
      FmgrInfo info;
      fmgr_info(function, &info);
      LOCAL_FCINFO(fcinfo, 0);
      InitFunctionCallInfoData(*fcinfo, &info, 0, InvalidOid, nullptr, nullptr);
      const Datum answer = FunctionCallInvoke(fcinfo);
      return !fcinfo->isnull && DatumGetBool(answer);
    });
  });
  return accepted;
}

bool is_member_of_admin_role(Oid member) {
  if (settings::admin_role().empty()) return false;
  const Oid role = role_oid(settings::admin_role());
  return OidIsValid(role) && call([=] { return is_member_of_role(member, role); });
}

}  // namespace

bool is_super_admin() {
  if (call([] { return superuser(); })) return true;
  if (is_member_of_admin_role(GetUserId())) return true;
  return !settings::admin_check().empty() && passes_admin_check();
}

bool is_admin(Oid role) { return is_superuser(role) || is_member_of_admin_role(role); }

bool is_superuser(Oid role) {
  return call([role] { return superuser_arg(role); });
}

std::string admin_settings_problem() {
  const std::string role = settings::admin_role();
  if (!role.empty() && !OidIsValid(role_oid(role)))
    return "metrics_refresh.admin_role names the role " + role + ", which does not exist";
  std::string problem;
  if (!settings::admin_check().empty()) (void)admin_check_function(problem);
  return problem;
}

void require_super_admin(const std::string& action) {
  if (is_super_admin()) return;
  throw SqlError(
      ERRCODE_INSUFFICIENT_PRIVILEGE, "permission denied: " + action + " requires a super admin",
      "A super admin is a superuser, a member of the role in metrics_refresh.admin_role, "
      "or one whom the function in metrics_refresh.admin_check accepts.");
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

std::optional<SqlError> login_problem(Oid role) {
  const std::string name = "role \"" + role_name(role) + "\"";
  if (!can_log_in(role))
    return SqlError(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION,
                    name + " is not permitted to log in", "A command runs connected as its owner.");
  if (!can_connect(role))
    return SqlError(ERRCODE_INSUFFICIENT_PRIVILEGE,
                    name + " is not permitted to connect to this database",
                    "A command runs connected as its owner.");
  if (has_password_expired(role))
    return SqlError(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION,
                    "the password of " + name + " has expired",
                    "A command runs connected as its owner: ALTER ROLE ... VALID UNTIL ... lets it "
                    "log in again.");
  return std::nullopt;
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
