#include "pg/role_setting.hpp"

#include <algorithm>

#include "pg/identity.hpp"

namespace metrics_refresh::pg {
namespace {

// Settings of this extension are known from the start, because its library is preloaded.
bool is_of_library(const char* name) {
  constexpr char kOurs[] = "metrics_refresh.";
  return strchr(name, '.') != nullptr && pg_strncasecmp(name, kOurs, strlen(kOurs)) != 0;
}

// Adds the settings as texts `name=value`. Later ones override earlier ones.
List* add_settings(List* found, Relation table, Oid database, Oid role) {
  ScanKeyData keys[2];
  ScanKeyInit(&keys[0], Anum_pg_db_role_setting_setdatabase, BTEqualStrategyNumber, F_OIDEQ,
              ObjectIdGetDatum(database));
  ScanKeyInit(&keys[1], Anum_pg_db_role_setting_setrole, BTEqualStrategyNumber, F_OIDEQ,
              ObjectIdGetDatum(role));
  SysScanDesc const scan =
      systable_beginscan(table, DbRoleSettingDatidRolidIndexId, true, nullptr, 2, keys);
  const HeapTuple row = systable_getnext(scan);
  bool is_null = true;
  const Datum settings =
      HeapTupleIsValid(row)
          ? heap_getattr(row, Anum_pg_db_role_setting_setconfig, RelationGetDescr(table), &is_null)
          : 0;
  if (!is_null) {
    Datum* texts;
    int count;
    deconstruct_array(DatumGetArrayTypeP(settings), TEXTOID, -1, false, TYPALIGN_INT, &texts,
                      nullptr, &count);
    for (int i = 0; i < count; ++i) found = lappend(found, TextDatumGetCString(texts[i]));
  }
  systable_endscan(scan);
  return found;
}

}  // namespace

void set_as(Oid role, const std::string& name, const std::string& value, GucAction action) {
  const char* name_text = name.c_str();
  const char* value_text = value.c_str();
  const bool superuser = call([role] { return superuser_arg(role); });
  const bool powerless = superuser && is_of_library(name_text);
  // This is a predefined role that cannot log in. A placeholder remembers the role that set it, so
  // it must be a role without rights.
  ActAs scope(powerless ? ROLE_PG_SIGNAL_BACKEND : role);
  const GucContext context = superuser && !powerless ? PGC_SUSET : PGC_USERSET;
  call([=] {
    (void)set_config_option(name_text, value_text, context, PGC_S_SESSION, action, true, 0, false);
  });
}

bool is_same_setting(const std::string& one, const std::string& other) {
  return pg_strcasecmp(one.c_str(), other.c_str()) == 0;
}

Settings settings_of_role(Oid role) {
  const List* const texts = call([role] {
    Relation const table = table_open(DbRoleSettingRelationId, AccessShareLock);
    // From the general to the specific, as at a login.
    List* found = add_settings(NIL, table, InvalidOid, InvalidOid);
    found = add_settings(found, table, MyDatabaseId, InvalidOid);
    found = add_settings(found, table, InvalidOid, role);
    found = add_settings(found, table, MyDatabaseId, role);
    table_close(table, AccessShareLock);
    return found;
  });
  Settings settings;
  for (int i = 0; i < list_length(texts); ++i) {
    const std::string text = static_cast<const char*>(list_nth(texts, i));
    const std::size_t end = text.find('=');
    if (end == std::string::npos) continue;
    std::pair<std::string, std::string> one{text.substr(0, end), text.substr(end + 1)};
    const auto known = std::find_if(settings.begin(), settings.end(), [&one](const auto& other) {
      return is_same_setting(other.first, one.first);
    });
    if (known == settings.end())
      settings.push_back(std::move(one));
    else
      known->second = std::move(one.second);
  }
  return settings;
}

config_generic** all_settings(int* count) {
#if PG_VERSION_NUM >= 160000
  return get_guc_variables(count);
#else
  *count = GetNumConfigOptions();
  return get_guc_variables();
#endif
}

}  // namespace metrics_refresh::pg
