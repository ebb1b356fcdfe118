#include "pg/role_setting.hpp"

#include "pg/identity.hpp"

namespace metrics_refresh::pg {
namespace {

// Ours are known from the start, for the library is preloaded.
bool is_of_library(const char* name) {
  constexpr char kOurs[] = "metrics_refresh.";
  return strchr(name, '.') != nullptr && pg_strncasecmp(name, kOurs, strlen(kOurs)) != 0;
}

}  // namespace

void set_as(Oid role, const std::string& name, const std::string& value, GucAction action) {
  const char* name_text = name.c_str();
  const char* value_text = value.c_str();
  const bool superuser = call([role] { return superuser_arg(role); });
  const bool powerless = superuser && is_of_library(name_text);
  // A role of the server's that nobody logs in as. A placeholder remembers who has set it.
  ActAs scope(powerless ? ROLE_PG_SIGNAL_BACKEND : role);
  const GucContext context = superuser && !powerless ? PGC_SUSET : PGC_USERSET;
  call([=] {
    (void)set_config_option(name_text, value_text, context, PGC_S_SESSION, action, true, 0, false);
  });
}

}  // namespace metrics_refresh::pg
