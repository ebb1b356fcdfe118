// Functions with the names that existing applications call. They refresh the view platform_metrics
// in the target schema of the extension, or a view that is given by name. The results have the
// format of the old functions.
#include "api/access.hpp"
#include "api/arguments.hpp"
#include "api/runs/refresh_now.hpp"
#include "extension/own_schema.hpp"
#include "extension/privilege.hpp"

namespace metrics_refresh::api {
namespace {

constexpr char kView[] = "platform_metrics";

// ALTER EXTENSION SET SCHEMA can change it, so it is looked up each time.
std::string extension_schema() {
  std::string schema;
  extension::as_extension([&schema](pg::Spi& spi) {
    const pg::Rows rows = spi.query(
        "SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace"
        " WHERE e.extname = 'metrics_refresh'");
    if (!rows.empty()) schema = rows.get_text(0, "nspname");
  });
  return schema;
}

RefreshedNow refresh_named(const std::string& schema, const std::string& name) {
  const Oid view = engine::resolve_view({schema, name});
  if (OidIsValid(view)) return refresh_now(view, store::Strategy::kAuto);
  // Otherwise any role could fill the log with names of its choice.
  extension::require_super_admin("logging a refresh of a view that does not exist");
  return refresh_of_missing_view(schema, name);
}

Datum result_json(const RefreshedNow& done, const std::string& success) {
  const store::Outcome& outcome = done.outcome;
  return JsonObject()
      .add("success", !outcome.error)
      .add("duration_ms", done.duration_ms)
      .add("message", outcome.error ? outcome.error->message : success)
      .result();
}

Datum refresh_platform_metrics(FunctionCallInfo) {
  (void)refresh_named(extension_schema(), kView);
  return Datum{0};
}

Datum trigger_platform_metrics(FunctionCallInfo) {
  extension::require_super_admin("refreshing the platform metrics");
  return result_json(refresh_named(extension_schema(), kView), "platform metrics refreshed");
}

Datum refresh_by_name(FunctionCallInfo call) {
  const Arguments arguments(call);
  const std::string schema = Arguments::required(arguments.get_name(0), "view_schema");
  const std::string name = Arguments::required(arguments.get_name(1), "view_name");
  if (Arguments::required(arguments.get_bool(2), "only_admins"))
    extension::require_super_admin("refreshing " + schema + "." + name);
  return result_json(refresh_named(schema, name),
                     name == kView ? "platform metrics refreshed" : name + " refreshed");
}

}  // namespace

MR_SQL_FUNCTION(mr_refresh_platform_metrics, refresh_platform_metrics);
MR_SQL_FUNCTION(mr_trigger_platform_metrics, trigger_platform_metrics);
MR_SQL_FUNCTION(mr_refresh_by_name, refresh_by_name);

}  // namespace metrics_refresh::api
