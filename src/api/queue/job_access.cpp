#include "api/queue/job_access.hpp"

#include "pg/role.hpp"
#include "store/queue/job_types.hpp"

namespace metrics_refresh::api {

bool JobRights::may_manage(store::queue::TypeId type) {
  if (is_super_admin_) return true;
  if (type == known_type_) return may_manage_known_;
  const auto found = store::queue::find_job_type(spi_, static_cast<int>(type));
  known_type_ = type;
  may_manage_known_ =
      found && OidIsValid(found->owner_oid) && pg::has_rights_of(caller_, found->owner_oid);
  return may_manage_known_;
}

bool JobRights::may_see(const store::queue::Job& job) {
  return (OidIsValid(job.enqueued_by) && pg::has_rights_of(caller_, job.enqueued_by)) ||
         may_manage(job.type);
}

void refuse_full_holds() {
  throw pg::SqlError(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
                     "too many background jobs are being changed by open transactions",
                     "Change fewer jobs in a transaction.");
}

void refuse_share_of_holds() {
  throw pg::SqlError(
      ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
      "role \"" + pg::role_name(GetOuterUserId()) +
          "\" would change more background jobs at a time than it may",
      "Change fewer jobs in a transaction, and end open transactions.",
      "Of the changes for which metrics_refresh.queue_memory has room, a role may have as many as "
      "are left for others.");
}

void refuse_missing_job_number(std::int64_t id) {
  throw pg::SqlError(ERRCODE_UNDEFINED_OBJECT, "job " + std::to_string(id) + " does not exist",
                     "The view background_jobs lists the jobs that you may see.");
}

}  // namespace metrics_refresh::api
