// Limits on the resources of one role.
//
// A limit only prevents growth. A role that is beyond a limit, for example because it was lowered,
// may still change and remove its jobs. The exact count is expensive, so an upper bound is tried
// first, and the rows are counted only if it exceeds a limit.
#include "api/shares.hpp"

#include "extension/privilege.hpp"
#include "extension/settings.hpp"
#include "pg/role.hpp"

namespace metrics_refresh::api {
namespace {

[[noreturn]] void refuse(Oid role, const std::string& what, const std::string& limit,
                         const char* setting) {
  throw pg::SqlError(
      ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
      "role \"" + pg::role_name(role) + "\" would have more " + what + " than it may",
      std::string("Remove some, or ask an administrator to raise ") + setting + ".",
      std::string(setting) + " is " + limit + ".");
}

bool is_beyond(const store::Share& share) {
  return share.jobs > settings::max_jobs_per_role() ||
         share.bytes > settings::max_job_bytes_per_role();
}

}  // namespace

JobShare::JobShare(Oid owner) : owner_(owner), limited_(!pg::is_superuser(owner)) {
  if (!limited_) return;
  before_ = store::upper_bound_of_share(owner);
  // The bound is too high to compare with, so the rows are counted.
  if (is_beyond(before_)) before_ = store::share_of_jobs(owner);
}

void JobShare::check() const {
  if (!limited_ || !is_beyond(store::upper_bound_of_share(owner_))) return;
  const store::Share now = store::share_of_jobs(owner_);
  const std::int64_t most_jobs = settings::max_jobs_per_role();
  if (now.jobs > most_jobs && now.jobs > before_.jobs)
    refuse(owner_, "jobs", std::to_string(most_jobs), "metrics_refresh.max_jobs_per_role");
  const std::int64_t most_bytes = settings::max_job_bytes_per_role();
  if (now.bytes > most_bytes && now.bytes > before_.bytes)
    refuse(owner_, "bytes in its jobs", std::to_string(most_bytes / 1024) + " kB",
           "metrics_refresh.max_job_bytes_per_role");
}

void check_share_of_requests(std::int64_t coming) {
  const Oid role = GetUserId();
  if (pg::is_superuser(role)) return;
  const std::int64_t most = settings::max_requests_per_role();
  if (store::count_requests(role) + coming > most)
    throw pg::SqlError(
        ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
        "role \"" + pg::role_name(role) + "\" would have more runs asked for than it may",
        "Wait until some have begun, or cancel() them, or ask an administrator to raise "
        "metrics_refresh.max_requests_per_role.",
        "metrics_refresh.max_requests_per_role is " + std::to_string(most) + ".");
}

// The check of the owner comes second: the caller must be a super admin in any case.
void check_priority(const NamedArguments& arguments, Oid owner) {
  if (arguments.is_null("priority") || *arguments.get_int32("priority") <= 0) return;
  extension::require_super_admin("a priority above 0");
  if (!extension::is_admin(owner))
    throw pg::SqlError(
        ERRCODE_INSUFFICIENT_PRIVILEGE, "a priority above 0 is for jobs that a super admin owns",
        "A superuser or a member of the role in metrics_refresh.admin_role can own the job: "
        "metrics_refresh.alter_job(job_name, owner => ...).",
        "The job's owner is \"" + pg::role_name(owner) + "\".");
}

void check_length(const char* what, std::int64_t length, std::int64_t most) {
  if (length <= most) return;
  throw pg::SqlError(ERRCODE_PROGRAM_LIMIT_EXCEEDED, std::string(what) + " is too long", "",
                     "It has " + std::to_string(length) + " bytes; at most " +
                         std::to_string(most) + " are allowed.");
}

}  // namespace metrics_refresh::api
