#include "engine/view/own_jobs.hpp"

#include "extension/own_schema.hpp"
#include "pg/transaction.hpp"
#include "store/view_settings.hpp"

namespace metrics_refresh::engine {

namespace {

// The common settings of the jobs of the view's owner, or of those of other roles. Nothing if there
// are no such jobs.
std::optional<OwnSettings> settings_of(const std::vector<store::JobSettings>& jobs,
                                       const View& view, bool of_owner) {
  std::optional<OwnSettings> own;
  for (const store::JobSettings& job : jobs) {
    const Oid role = job.view.owner_oid;
    // A job is found by name, so it may mean another view. Its owner may also have lost the right
    // to refresh this one.
    if ((role == view.owner) != of_owner || !OidIsValid(role) ||
        resolve_view(job.view) != view.oid || !has_view_rights(role, view))
      continue;
    // No order among the jobs could decide, so none of the settings is used.
    if (own && job.settings != own->settings) return OwnSettings{{}, true};
    own = OwnSettings{job.settings, false};
  }
  return own;
}

}  // namespace

OwnSettings settings_of_own_jobs(const View& view) {
  std::vector<store::JobSettings> jobs;
  extension::read_as_extension(
      [&](pg::Spi& spi) { jobs = store::settings_of_jobs(spi, view.schema, view.name, view.oid); });
  if (const auto of_owner = settings_of(jobs, view, true)) return *of_owner;
  return settings_of(jobs, view, false).value_or(OwnSettings{});
}

}  // namespace metrics_refresh::engine
