// Privilege checks beyond those of the server. A super admin is determined by three settings in
// this order: superuser, member of admin_role, accepted by admin_check. The cheap tests come first,
// because the last one calls a function of the user.
#include "extension/privilege.hpp"

#include "extension/settings.hpp"
#include "pg/compat.hpp"
#include "pg/identity.hpp"
#include "pg/role.hpp"

namespace metrics_refresh::extension {
namespace {

// The function in metrics_refresh.admin_check. If it cannot be used, InvalidOid and the reason.
Oid admin_check_function(std::string& reason) {
  const std::string setting = settings::admin_check();
  const char* name = setting.c_str();
  const Oid function = pg::call([name] {
    // The check hook of the setting requires a schema, so the caller's search_path has no
    // influence.
    List* names = pg::qualified_names(name);
    return LookupFuncName(names, 0, nullptr, true);
  });
  if (!OidIsValid(function)) {
    reason = "metrics_refresh.admin_check names " + setting + "(), which does not exist";
    return InvalidOid;
  }
  const bool usable = pg::call([=] {
    return get_func_rettype(function) == BOOLOID && !get_func_retset(function) &&
           get_func_prokind(function) == PROKIND_FUNCTION;
  });
  if (!usable) {
    reason = "metrics_refresh.admin_check names " + setting + "(), which does not return boolean";
    return InvalidOid;
  }
  return function;
}

bool passes_admin_check() {
  std::string reason;
  const Oid function = admin_check_function(reason);
  if (!OidIsValid(function)) {
    const char* text = reason.c_str();
    pg::call([text] {
      ereport(WARNING, errcode(ERRCODE_CONFIG_FILE_ERROR), errmsg_internal("%s", text),
              errhint("The setting makes no role a super admin until it is corrected."));
    });
    return false;
  }
  bool accepted = false;
  // With a fixed search_path, the caller cannot put an object in front of one that the function
  // uses.
  pg::with_fixed_search_path([&] {
    accepted = pg::call([function] {
      // The function is called directly, so the server does not check the privilege.
      if (!pg::may_execute(function, GetUserId())) return false;
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
  // Looked up each time: the setting and the role can change during a session.
  if (settings::admin_role().empty()) return false;
  const Oid role = pg::role_oid(settings::admin_role());
  return OidIsValid(role) && pg::call([=] { return is_member_of_role(member, role); });
}

}  // namespace

bool is_super_admin() {
  if (pg::call([] { return superuser(); })) return true;
  if (is_member_of_admin_role(GetUserId())) return true;
  return !settings::admin_check().empty() && passes_admin_check();
}

bool is_admin(Oid role) { return pg::is_superuser(role) || is_member_of_admin_role(role); }

std::string reason_against_admin_settings() {
  const std::string role = settings::admin_role();
  if (!role.empty() && !OidIsValid(pg::role_oid(role)))
    return "metrics_refresh.admin_role names the role " + role + ", which does not exist";
  std::string reason;
  if (!settings::admin_check().empty()) (void)admin_check_function(reason);
  return reason;
}

void require_super_admin(const std::string& action) {
  if (is_super_admin()) return;
  throw pg::SqlError(
      ERRCODE_INSUFFICIENT_PRIVILEGE, "permission denied: " + action + " requires a super admin",
      "A super admin is a superuser, a member of the role in metrics_refresh.admin_role, "
      "or one whom the function in metrics_refresh.admin_check accepts.");
}

// The same order as at a login.
std::optional<pg::SqlError> reason_against_login(Oid role) {
  const std::string name = "role \"" + pg::role_name(role) + "\"";
  if (!pg::can_log_in(role))
    return pg::SqlError(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION,
                        name + " is not permitted to log in",
                        "A command runs connected as its owner.");
  if (!pg::can_connect(role))
    return pg::SqlError(ERRCODE_INSUFFICIENT_PRIVILEGE,
                        name + " is not permitted to connect to this database",
                        "A command runs connected as its owner.");
  if (pg::has_password_expired(role))
    return pg::SqlError(
        ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION, "the password of " + name + " has expired",
        "A command runs connected as its owner: ALTER ROLE ... VALID UNTIL ... lets it "
        "log in again.");
  return std::nullopt;
}

}  // namespace metrics_refresh::extension
