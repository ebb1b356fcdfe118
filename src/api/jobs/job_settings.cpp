// Checks the option `settings`. The server is the only source for names, values and privileges of
// settings. Therefore each setting is set in a subtransaction that is undone, once as the caller
// and once as each owner. The session that runs the job will do the same.
#include "core/job_setting.hpp"

#include "api/jobs/job_settings.hpp"

#include "api/access.hpp"
#include "api/shares.hpp"
#include "extension/own_schema.hpp"
#include "pg/role_setting.hpp"
#include "pg/transaction.hpp"

namespace metrics_refresh::api {
namespace {

// The same as SET in a function's declaration, including the reset at the end.
void try_setting(const std::string& name, const std::string& value, Oid role) {
  const std::optional<pg::PgError> error = pg::in_subtransaction([&] {
    const int level = pg::call([] { return NewGUCNestLevel(); });
    pg::set_as(role, name, value, GUC_ACTION_SAVE);
    pg::call([level] { AtEOXact_GUC(false, level); });
  });
  if (!error) return;
  // The server's message is kept. A hint is added if the server gives none.
  const ErrorData& data = error->data();
  const std::string detail = data.detail != nullptr ? data.detail : "";
  const std::string hint = data.hint != nullptr ? data.hint : "";
  const auto say = [&](int sqlstate, const char* our_hint) {
    throw pg::SqlError(sqlstate, data.message, hint.empty() ? our_hint : hint, detail);
  };
  if (data.sqlerrcode == ERRCODE_UNDEFINED_OBJECT)
    say(ERRCODE_INVALID_PARAMETER_VALUE, "See the view pg_settings for the settings that exist.");
  if (data.sqlerrcode == ERRCODE_INSUFFICIENT_PRIVILEGE)
    say(data.sqlerrcode,
        name.find('.') == std::string::npos
            ? "Both the owner of the job and the current user must be allowed to set it."
            : "A superuser's setting of a library is set for a role: ALTER ROLE ... SET.");
  say(data.sqlerrcode,
      "The view pg_settings shows the allowed values and the context of each setting.");
}

}  // namespace

Settings read_settings(Datum jsonb) {
  Settings settings;
  const auto refuse = [](const std::string& what) {
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, what,
                       "For example: {\"work_mem\": \"256MB\", \"jit\": false}");
  };
  extension::as_extension([&](pg::Spi& spi) {
    const pg::Param param(JSONBOID, jsonb);
    const pg::Rows whole = spi.query(
        "SELECT jsonb_typeof($1) AS type, octet_length($1::text)::int8 AS length", {param});
    // Checked before the value is unpacked, to bound the work.
    check_length("settings", whole.get_int64(0, "length"), store::kMaxSettings);
    if (whole.get_text(0, "type") != "object")
      refuse("settings must be an object of names and values");
    const pg::Rows rows = spi.query(
        "SELECT key, value #>> '{}' AS value, jsonb_typeof(value) AS type FROM jsonb_each($1)",
        {param});
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const std::string name = rows.get_text(i, "key");
      const std::string type = rows.get_text(i, "type");
      if (type != "string" && type != "number" && type != "boolean")
        refuse("setting \"" + name + "\" must be a text, a number, true or false");
      settings.emplace_back(name, rows.get_text(i, "value"));
    }
  });
  return settings;
}

void check_settings(const Settings& settings, const std::vector<Oid>& owners) {
  for (const auto& [name, value] : settings) {
    // Many settings may be tried for many owners.
    pg::call([] { CHECK_FOR_INTERRUPTS(); });
    if (const char* hint = core::reason_against_job_setting(name))
      throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, name + " is not among a job's settings",
                         hint);
    try_setting(name, value, GetUserId());
    for (const Oid owner : owners) {
      pg::call([] { CHECK_FOR_INTERRUPTS(); });
      if (OidIsValid(owner) && owner != GetUserId()) try_setting(name, value, owner);
    }
  }
}

void check_refresh_settings(const Settings& settings, const std::vector<Oid>& owners) {
  for (const auto& [name, value] : settings)
    if (const char* hint = core::reason_against_refresh_setting(name))
      throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE,
                         name + " is not among the settings of a job that refreshes", hint);
  check_settings(settings, owners);
}

}  // namespace metrics_refresh::api
