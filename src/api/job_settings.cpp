#include "api/job_settings.hpp"

#include "api/access.hpp"
#include "pg/transaction.hpp"

namespace metrics_refresh::api {
namespace {

// As SET in a function's declaration does it, and undoes it.
void try_setting(const std::string& name, const std::string& value, Oid role) {
  const char* name_text = name.c_str();
  const char* value_text = value.c_str();
  const std::optional<pg::PgError> error = pg::in_subtransaction([=] {
    pg::ActAs scope(role);
    pg::call([=] {
      const int level = NewGUCNestLevel();
      (void)set_config_option(name_text, value_text, superuser_arg(role) ? PGC_SUSET : PGC_USERSET,
                              PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
      AtEOXact_GUC(false, level);
    });
  });
  if (!error) return;
  const ErrorData& data = error->data();
  const std::string detail = data.detail != nullptr ? data.detail : "";
  const std::string hint = data.hint != nullptr ? data.hint : "";
  if (data.sqlerrcode == ERRCODE_UNDEFINED_OBJECT)
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, data.message,
                       hint.empty() ? "The view pg_settings lists those that there are." : hint,
                       detail);
  throw pg::SqlError(
      data.sqlerrcode, data.message,
      hint.empty() ? "A job's settings are set as its owner, and by one who may set them." : hint,
      detail);
}

}  // namespace

Settings read_settings(Datum jsonb) {
  Settings settings;
  const auto refuse = [](const std::string& what) {
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, what,
                       "For example: {\"work_mem\": \"256MB\", \"jit\": false}");
  };
  with_tables([&](pg::Spi& spi) {
    const pg::Param param(JSONBOID, jsonb);
    if (spi.query("SELECT jsonb_typeof($1)", {param}).get_text(0, 1) != "object")
      refuse("settings must be an object of names and values");
    const pg::Rows rows =
        spi.query("SELECT key, value #>> '{}', jsonb_typeof(value) FROM jsonb_each($1)", {param});
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const std::string name = rows.get_text(i, 1);
      const std::string type = rows.get_text(i, 3);
      if (type != "string" && type != "number" && type != "boolean")
        refuse("setting \"" + name + "\" must be a text, a number, true or false");
      settings.emplace_back(name, rows.get_text(i, 2));
    }
  });
  return settings;
}

void check_settings(const Settings& settings, Oid owner) {
  for (const auto& [name, value] : settings) {
    if (pg_strcasecmp(name.c_str(), "lock_timeout") == 0)
      throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE,
                         "lock_timeout is not among a job's settings",
                         "It is an option of its own: lock_timeout => ...");
    try_setting(name, value, GetUserId());
    if (owner != GetUserId()) try_setting(name, value, owner);
  }
}

}  // namespace metrics_refresh::api
