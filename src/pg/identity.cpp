#include "pg/identity.hpp"

namespace metrics_refresh::pg {

void allow_views() {
  static const char kRestricted[] = "restrict_nonsystem_relation_kind";
  // Older minor versions do not have this setting.
  const char* value = GetConfigOption(kRestricted, true, false);
  if (value == nullptr || *value == '\0') return;
  (void)set_config_option(kRestricted, "", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
                          false);
}

}  // namespace metrics_refresh::pg
