// Rows from shared memory: the running jobs for background_jobs, and job_counts().
#include <algorithm>

#include "api/arguments.hpp"
#include "extension/privilege.hpp"
#include "pg/identity.hpp"
#include "pg/role.hpp"
#include "shmem/queue/live_counts.hpp"
#include "shmem/queue/outside_claims.hpp"
#include "shmem/queue/status.hpp"
#include "shmem/queue/types.hpp"
#include "store/queue/job_types.hpp"

namespace metrics_refresh::api {
namespace {

using pg::Param;

Param time_or_null(TimestampTz time) {
  return time == 0 ? Param::null(TIMESTAMPTZOID) : Param(TIMESTAMPTZOID, TimestampTzGetDatum(time));
}

// Names of workers and notes are for roles that manage the type. A member of pg_read_all_data or
// pg_write_all_data can call this function without the view background_jobs.
Datum claims(FunctionCallInfo call) {
  SetResult result(call);
  if (!shmem::queue::find_queue()) return Datum{0};
  const auto running = shmem::queue::running_jobs();
  const auto outside = shmem::queue::outside_claims();
  const bool is_super_admin = extension::is_super_admin();
  const auto roles = shmem::queue::roles_of_types();
  const auto text = [&](shmem::queue::TypeId type, const std::string& value) {
    const auto role = roles.find(type);
    const bool may_manage =
        is_super_admin || (role != roles.end() && pg::has_rights_of(role->second));
    return may_manage ? Param::text_or_null(value) : Param::null(TEXTOID);
  };
  for (const auto& job : running) {
    const auto& progress = job.progress;
    const bool has_progress = progress.done > 0 || progress.total >= 0 || progress.note[0] != '\0';
    result.add({job.job, text(job.type, std::to_string(job.pid)), time_or_null(job.started_at),
                has_progress ? Param(progress.done) : Param::null(INT8OID),
                progress.total < 0 ? Param::null(INT8OID) : Param(progress.total),
                text(job.type, progress.note)});
  }
  for (const auto& claim : outside)
    result.add({claim.job, text(claim.type, claim.worker), time_or_null(claim.started_at),
                Param::null(INT8OID), Param::null(INT8OID), Param::null(TEXTOID)});
  return Datum{0};
}

Datum counts(FunctionCallInfo call) {
  SetResult result(call);
  if (!shmem::queue::find_queue()) return Datum{0};
  // With the rights of the caller, whose view shows them.
  std::vector<std::pair<std::int64_t, std::string>> types;
  pg::with_own_sql([&types] {
    pg::Spi spi;
    types = store::queue::visible_type_names(spi);
  });
  const bool are_exact = shmem::queue::are_exact();
  for (const auto& [id, name] : types) {
    const auto type = shmem::queue::type_counts(static_cast<shmem::queue::TypeId>(id));
    const std::int64_t processing = type.processing;
    // Running jobs are open, and some of them have failed before. The numbers are read one after
    // the other, so a difference may be below zero for a moment.
    const std::int64_t waiting = std::max<std::int64_t>(type.counts.open - processing, 0);
    const std::int64_t failed = std::clamp<std::int64_t>(type.counts.failed, 0, waiting);
    result.add({name, waiting - failed, processing, failed, type.counts.dead, type.counts.canceled,
                type.ends.completed, type.ends.failed, are_exact});
  }
  return Datum{0};
}

}  // namespace

MR_SQL_FUNCTION(mr_queue_claims, claims);
MR_SQL_FUNCTION(mr_job_counts, counts);

}  // namespace metrics_refresh::api
