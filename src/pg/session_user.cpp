// Connects a worker as the owner of a job.
//
// The direct way is BackgroundWorkerInitializeConnectionByOid() with the role. It fails for roles
// that cannot connect. In that case the worker connects as the bootstrap superuser and removes the
// settings of that role. It then sets session_authorization and the settings of the owner, as a
// login would.
#include "pg/session_user.hpp"

#include <map>

#include "pg/identity.hpp"
#include "pg/role.hpp"
#include "pg/role_setting.hpp"
#include "pg/spi.hpp"
#include "pg/transaction.hpp"

namespace metrics_refresh::pg {
namespace {

using Values = std::map<std::string, std::string>;

// SET SESSION AUTHORIZATION checks the authenticated user, so that user must be changed as well. A
// server with assertions allows this only once, and older minor versions do not export the
// function. There the owner's code still runs in security-restricted operations, in which the
// session user cannot be changed.
#if !defined(USE_ASSERT_CHECKING) &&                                                      \
    (PG_VERSION_NUM >= 170003 || (PG_VERSION_NUM >= 160007 && PG_VERSION_NUM < 170000) || \
     (PG_VERSION_NUM >= 150011 && PG_VERSION_NUM < 160000))
template <typename Set>
void set_role_with(Set set, Oid role) {
  if constexpr (std::is_invocable_v<Set, Oid>)
    set(role);
  else
    set(role, superuser_arg(role));
}
void set_authenticated_user(Oid role) { set_role_with(SetAuthenticatedUserId, role); }
#else
void set_authenticated_user(Oid) {}
#endif

// HaveNFreeProcs() has a second argument in newer versions.
template <typename HaveFree>
bool have_free(HaveFree have, int count) {
  if constexpr (std::is_invocable_v<HaveFree, int>) {
    return have(count);
  } else {
    int free = 0;
    return have(count, &free);
  }
}

// The last connections are reserved for superusers.
bool has_free_connection() {
#if PG_VERSION_NUM >= 160000
  const int reserved = SuperuserReservedConnections + ReservedConnections;
#else
  const int reserved = ReservedBackends;
#endif
  return call([reserved] { return have_free(HaveNFreeProcs, reserved + 1); });
}

// The values of all settings before those of a role are applied.
Values settings_of_server() {
  int count = 0;
  config_generic** const all = call([&count] { return all_settings(&count); });
  Values values;
  for (int i = 0; i < count; ++i) {
    const config_generic* setting = all[i];
    const char* value = call([setting] { return GetConfigOption(setting->name, true, false); });
    if (value != nullptr) values[setting->name] = value;
  }
  return values;
}

// Removes the settings of the bootstrap superuser from the session.
void restore(const Values& before) {
  std::vector<std::string> names;
  ActAs superuser(BOOTSTRAP_SUPERUSERID);
  with_own_sql([&names] {
    Spi spi;
    const Rows rows = spi.query(
        "SELECT DISTINCT pg_catalog.split_part(c, '=', 1) AS setting"
        " FROM pg_catalog.pg_db_role_setting s,"
        " pg_catalog.unnest(s.setconfig) c WHERE s.setrole = $1 AND s.setdatabase IN (0, $2)",
        {Param::oid(BOOTSTRAP_SUPERUSERID), Param::oid(MyDatabaseId)});
    for (std::size_t i = 0; i < rows.size(); ++i) names.push_back(rows.get_text(i, "setting"));
  });
  for (const std::string& name : names) {
    const auto found = before.find(name);
    const char* text = name.c_str();
    // A placeholder such as app.tenant cannot be removed. It is set to an empty string.
    const bool is_known = found != before.end();
    const char* value = is_known ? found->second.c_str() : "";
    call([=] {
      if (is_known || (GetConfigOptionFlags(text, true) & GUC_CUSTOM_PLACEHOLDER) != 0)
        SetConfigOption(text, value, PGC_SUSET, PGC_S_DATABASE_USER);
    });
  }
}

// In the order of a login, in which later settings override earlier ones.
void apply_settings_of(Oid role) {
  call([role] {
    Relation const table = table_open(DbRoleSettingRelationId, AccessShareLock);
    Snapshot const snapshot = RegisterSnapshot(GetCatalogSnapshot(DbRoleSettingRelationId));
    const Oid none = InvalidOid;
    ApplySetting(snapshot, none, none, table, PGC_S_DATABASE_USER);
    ApplySetting(snapshot, MyDatabaseId, none, table, PGC_S_DATABASE_USER);
    ApplySetting(snapshot, none, role, table, PGC_S_DATABASE_USER);
    ApplySetting(snapshot, MyDatabaseId, role, table, PGC_S_DATABASE_USER);
    UnregisterSnapshot(snapshot);
    table_close(table, AccessShareLock);
  });
}

void become_role(Oid role, const Values& before) {
  in_transaction([&] {
    restore(before);
    call([role] {
      const char* name = GetUserNameFromId(role, false);
      SetConfigOption("session_authorization", name, PGC_BACKEND, PGC_S_OVERRIDE);
      set_authenticated_user(role);
    });
    apply_settings_of(role);
  });
}

struct Limits {
  bool login;
  bool limited;
};

Limits limits_of(Oid role) {
  return call([role]() -> Limits {
    const HeapTuple tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
    if (!HeapTupleIsValid(tuple)) return {false, true};
    const auto* form = reinterpret_cast<Form_pg_authid>(GETSTRUCT(tuple));
    const Limits limits = {form->rolcanlogin, !form->rolsuper && form->rolconnlimit >= 0};
    ReleaseSysCache(tuple);
    return limits;
  });
}

bool database_has_limit() {
  return call([] {
    const HeapTuple tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(MyDatabaseId));
    if (!HeapTupleIsValid(tuple)) return false;
    const bool limited = reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple))->datconnlimit >= 0;
    ReleaseSysCache(tuple);
    return limited;
  });
}

}  // namespace

bool can_connect_directly(Oid role) {
  const Limits limits = limits_of(role);
#if PG_VERSION_NUM < 170000
  if (!limits.login) return false;
#endif
  // Superusers are exempt from connection limits.
  if (call([role] { return superuser_arg(role); })) return true;
  return !limits.limited && !database_has_limit() && can_connect(role);
}

void connect_as(Oid database, Oid role, bool assumed) {
  // If only reserved connections are left, the server rejects ordinary roles. The bootstrap
  // superuser can still connect.
  if (!assumed && role != BOOTSTRAP_SUPERUSERID && !has_free_connection()) assumed = true;
  if (!assumed) {
#if PG_VERSION_NUM >= 170000
    const uint32 flags = BGWORKER_BYPASS_ROLELOGINCHECK;
#else
    const uint32 flags = 0;
#endif
    call([=] { BackgroundWorkerInitializeConnectionByOid(database, role, flags); });
    return;
  }
  const Values before = settings_of_server();
  call([=] { BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0); });
  become_role(role, before);
}

// What the server took note of at the login: ALTER ROLE does not change it. Without a role, in case
// that the session began with one (ALTER ROLE … SET role).
bool has_session_of_superuser() {
  return call([] {
    const int level = NewGUCNestLevel();
    (void)set_config_option("role", "none", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
                            false);
    const bool answer = strcmp(GetConfigOption("is_superuser", false, false), "on") == 0;
    AtEOXact_GUC(false, level);
    return answer;
  });
}

bool has_session_of(Oid role) {
  return GetSessionUserId() == role && GetAuthenticatedUserId() == role;
}

}  // namespace metrics_refresh::pg
