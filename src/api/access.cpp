#include "api/access.hpp"

#include "engine/refresh.hpp"
#include "pg/privilege.hpp"

namespace metrics_refresh::api {

bool may_manage(const store::JobRecord& job) {
  if (pg::is_super_admin()) return true;
  if (OidIsValid(job.owner_oid) && pg::has_rights_of(job.owner_oid)) return true;
  if (!job.is_refresh()) return false;
  const Oid view = engine::resolve_view(job.view_schema, job.view_name, job.view_oid);
  return OidIsValid(view) && pg::has_rights_of(engine::relation_owner(view));
}

void require_management(const store::JobRecord& job) {
  if (!may_manage(job))
    throw pg::SqlError(ERRCODE_INSUFFICIENT_PRIVILEGE,
                       "permission denied for job \"" + job.name + "\"",
                       "Its owner, the owner of its view and super admins may change it.");
}

store::JobRecord managed_job(const std::string& name) {
  std::optional<store::JobRecord> job;
  with_tables([&](pg::Spi& spi) { job = store::find_job(spi, name); });
  if (!job)
    throw pg::SqlError(ERRCODE_UNDEFINED_OBJECT, "job \"" + name + "\" does not exist",
                       "The view metrics_refresh.job_status lists the jobs that you may see.");
  require_management(*job);
  return std::move(*job);
}

void require_refresh_rights(const engine::View& view) {
  if (!engine::has_view_rights(GetUserId(), view) && !pg::is_super_admin())
    engine::require_view_rights(GetUserId(), view);
}

void require_right_to_commands() {
  const Oid role = GetUserId();
  bool may = false;
  with_tables([&](pg::Spi& spi) {
    may = spi.query(
                 "SELECT has_function_privilege($1,"
                 " 'metrics_refresh.schedule_command'::regproc::oid, 'EXECUTE')",
                 {pg::Param::oid(role)})
              .get_bool(0, 1);
  });
  if (!may)
    throw pg::SqlError(ERRCODE_INSUFFICIENT_PRIVILEGE,
                       "permission denied for function schedule_command",
                       "GRANT EXECUTE ON FUNCTION metrics_refresh.schedule_command gives the right "
                       "to write commands.");
}

Oid refresher(const engine::View& view) {
  return engine::has_view_rights(GetUserId(), view) ? GetUserId() : view.owner;
}

std::string current_role() { return pg::role_name(GetUserId()); }

}  // namespace metrics_refresh::api
