#include "store/planned_jobs.hpp"

#include "worker/run_session.hpp"

#include "engine/view/one_owner.hpp"
#include "engine/view/view.hpp"
#include "extension/privilege.hpp"
#include "pg/role.hpp"
#include "pg/session_user.hpp"
#include "worker/own_tables.hpp"

namespace metrics_refresh::worker {
namespace {

Oid owner_of(const store::BoundView& view) {
  return engine::relation_owner(engine::resolve_view(view));
}

// The owner of the first view that exists. This is enough, because the worker checks that all views
// have the same owner.
Oid owner_of_members(core::JobId id) {
  Oid owner = InvalidOid;
  (void)try_with_own_tables("the views of a group cannot be read now", [&](pg::Spi& spi) {
    const std::optional<store::JobRecord> group = store::find_job(spi, id);
    if (!group) return;
    for (const store::Member& member : store::members_of_group(spi, *group))
      if (!OidIsValid(owner)) owner = owner_of(member);
  });
  return owner;
}

shmem::Session session_of(Oid role, bool is_command) {
  if (pg::role_name(role).empty()) return {BOOTSTRAP_SUPERUSERID, true};
  if (!is_command) return {role, !pg::can_connect_directly(role)};
  // A command runs only in a session that its owner could open itself. CONNECTION LIMIT is meant
  // for clients and is not checked.
  if (pg::can_log_in(role) && pg::can_connect(role)) return {role, false};
  return {BOOTSTRAP_SUPERUSERID, true};
}

store::RunError error_of(int sqlstate, const std::string& message, const std::string& hint) {
  return {message, std::string(unpack_sql_state(sqlstate), 5), "", hint, ""};
}

store::RunError no_owner(const store::JobRecord& job) {
  store::RunError error =
      error_of(ERRCODE_UNDEFINED_OBJECT, "role \"" + job.owner + "\" does not exist",
               "A super admin can give the job to another role: "
               "metrics_refresh.alter_job(job_name, owner => ...).");
  if (OidIsValid(pg::role_oid(job.owner))) {
    error.message = "the role \"" + job.owner + "\" that owned the job does not exist any more";
    error.detail = "The role that has this name now is another one.";
  }
  return error;
}

}  // namespace

shmem::Session session_for(const store::PlannedJob& job, const store::Member* member) {
  Oid owner = InvalidOid;
  if (member == nullptr && job.is_group() && job.repeatable_read) owner = owner_of_members(job.id);
  shmem::Session session = {};
  pg::in_transaction([&] {
    if (member != nullptr)
      owner = owner_of(*member);
    else if (job.is_refresh())
      owner = owner_of(job);
    session = session_of(OidIsValid(owner) ? owner : job.owner_oid, job.is_command());
  });
  return session;
}

std::optional<store::RunError> reason_against_owner(const store::JobRecord& job) {
  const Oid role = job.owner_oid;
  if (pg::role_name(role).empty()) return no_owner(job);
  if (!job.is_command()) return std::nullopt;
  if (const auto reason = extension::reason_against_login(role))
    return error_of(reason->sqlstate(), reason->what(), reason->hint());
  if (pg::has_session_of(role)) return std::nullopt;
  return error_of(ERRCODE_T_R_SERIALIZATION_FAILURE,
                  "the job was given to another role while its run began",
                  "The next run is its new owner's.");
}

void require_session_of(Oid owner, const std::string& view) {
  if (GetSessionUserId() == owner) return;
  throw pg::SqlError(ERRCODE_T_R_SERIALIZATION_FAILURE,
                     "materialized view " + view + " was given to another role while its run began",
                     "", "The run begins again in a session of its new owner's.");
}

std::optional<store::RunError> several_owners(const std::vector<store::Member>& members) {
  std::vector<Oid> owners;
  for (const store::Member& member : members) {
    const Oid owner = engine::relation_owner(member.view_oid);
    if (OidIsValid(owner)) owners.push_back(owner);
  }
  try {
    engine::require_one_owner(owners);
    return std::nullopt;
  } catch (const pg::SqlError&) {
    return store::describe_current_error();
  }
}

}  // namespace metrics_refresh::worker
