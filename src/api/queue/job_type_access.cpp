#include "api/queue/job_type_access.hpp"

#include "api/access.hpp"
#include "api/shares.hpp"
#include "extension/own_schema.hpp"
#include "extension/privilege.hpp"
#include "pg/role.hpp"
#include "shmem/queue/types.hpp"

namespace metrics_refresh::api {
namespace {

using pg::Param;
using store::queue::JobType;
using store::queue::NoHandler;

std::string missing_type(const std::string& name) {
  return "job type \"" + name + "\" does not exist";
}

std::string hint_for_missing(const std::string& name) {
  std::vector<std::string> names;
  // With the rights of the caller: a hint must not reveal types of other roles.
  pg::with_own_sql([&] {
    pg::Spi spi;
    names = store::queue::type_names_like(spi, name);
  });
  const std::string likely = most_similar(name, std::move(names));
  return (likely.empty() ? "" : "Perhaps you meant the type \"" + likely + "\". ") +
         std::string("metrics_refresh.register_job_type() makes a type.");
}

std::optional<JobType> find_type(const std::string& name) {
  std::optional<JobType> type;
  extension::as_extension([&](pg::Spi& spi) { type = store::queue::find_job_type(spi, name); });
  return type;
}

void require_manager(const JobType& type) {
  if (may_manage(type)) return;
  throw pg::SqlError(ERRCODE_INSUFFICIENT_PRIVILEGE,
                     "permission denied for job type \"" + type.name + "\"",
                     "Its owner and super admins may change it. A database has one type of a "
                     "name.");
}

}  // namespace

bool may_manage(const JobType& type) {
  return (OidIsValid(type.owner_oid) && pg::has_rights_of(type.owner_oid)) ||
         extension::is_super_admin();
}

void require_rights_for_type(Oid role, const char* use) {
  // A superuser has the rights of all roles, also of one that was dropped a moment ago.
  const std::string name = pg::role_name(role);
  if (!name.empty() && pg::has_rights_of(role)) return;
  throw pg::SqlError(ERRCODE_INSUFFICIENT_PRIVILEGE,
                     name.empty() ? "the owner of the job type does not exist any more"
                                  : "must be member of role \"" + name + "\"",
                     use);
}

JobType managed_type(const std::string& name) {
  std::optional<JobType> type = find_type(name);
  if (!type) refuse_missing_type(name);
  require_manager(*type);
  return std::move(*type);
}

std::optional<JobType> find_and_lock_type(const std::string& name) {
  std::optional<JobType> type;
  int locked = 0;
  // After the lock, the type may be gone or belong to another role.
  while ((type = find_type(name)) && type->id != locked) {
    require_manager(*type);
    extension::as_extension(
        [&](pg::Spi& spi) { store::queue::lock_job_type(spi, locked = type->id); });
  }
  if (type && !may_manage(*type)) return find_and_lock_type(name);
  return type;
}

JobType locked_type(const std::string& name) {
  std::optional<JobType> type = find_and_lock_type(name);
  if (!type) refuse_missing_type(name);
  return std::move(*type);
}

void refuse_missing_type(const std::string& name) {
  throw pg::SqlError(ERRCODE_UNDEFINED_OBJECT, missing_type(name), hint_for_missing(name));
}

void report_missing_type(const std::string& name) {
  const std::string message = missing_type(name);
  const std::string hint = hint_for_missing(name);
  const char* message_text = message.c_str();
  const char* hint_text = hint.c_str();
  pg::call([=] { ereport(NOTICE, errmsg_internal("%s", message_text), errhint("%s", hint_text)); });
}

void require_handler(const JobType& type, Oid function) {
  if (type.mode == store::queue::JobMode::kExternal || OidIsValid(function)) return;
  throw pg::SqlError(ERRCODE_UNDEFINED_FUNCTION,
                     "the handler of job type \"" + type.name + "\" does not exist",
                     "Create the function again as its former owner, or name another one: "
                     "metrics_refresh.alter_job_type(type, handler => ...).",
                     "It was " + type.handler.signature() + ".");
}

void check_share_of_types(Oid owner) {
  const auto most = static_cast<std::int64_t>(shmem::queue::type_room() / 4);
  if (most == 0 || pg::is_superuser(owner) || store::count_types(owner) <= most) return;
  throw pg::SqlError(
      ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
      "role \"" + pg::role_name(owner) + "\" would have more job types than it may",
      "Drop some, or ask an administrator to raise metrics_refresh.queue_memory.",
      "metrics_refresh.queue_memory has room for " + std::to_string(most) + " types of a role.");
}

void check_type_name(const std::string& name) {
  if (name.empty()) throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "type must not be empty");
  check_length("type", static_cast<std::int64_t>(name.size()), kLongestTypeName);
}

store::Columns handler_columns(Oid function, Oid owner) {
  const store::queue::HandlerShape shape =
      pg::call([function] { return store::queue::shape_of_handler(function); });
  const auto refuse = [&](const char* detail) {
    throw pg::SqlError(ERRCODE_INVALID_FUNCTION_DEFINITION,
                       "function \"" + std::string(shape.name) + "\" cannot run jobs",
                       "A handler is CREATE FUNCTION f(payload jsonb) RETURNS void, or "
                       "f(job_id bigint, payload jsonb).",
                       detail);
  };
  switch (shape.reason) {
    case NoHandler::kNone:
      break;
    case NoHandler::kMissing:
      throw pg::SqlError(ERRCODE_UNDEFINED_FUNCTION,
                         "function with OID " + std::to_string(function) + " does not exist");
    case NoHandler::kNoFunction:
      refuse("It is a procedure, an aggregate or a window function.");
      break;
    case NoHandler::kReturnsSet:
      refuse("It returns a set.");
      break;
    case NoHandler::kArguments:
      refuse("It has other arguments.");
      break;
    case NoHandler::kTemporary:
      refuse("It is temporary, and ends with this session.");
      break;
  }
  if (!pg::call([=] { return pg::may_execute(function, owner); }))
    throw pg::SqlError(ERRCODE_INSUFFICIENT_PRIVILEGE,
                       "permission denied for function " + std::string(shape.name),
                       "GRANT EXECUTE ON FUNCTION ... TO the owner of the type, who runs its jobs.",
                       "The role \"" + pg::role_name(owner) + "\" may not execute it.");
  // The trigger before_write looks up the function again, and stores its owner.
  return {{"handler_schema", shape.schema},
          {"handler_name", shape.name},
          {"passes_id", shape.passes_id},
          {"handler_owner", pg::role_name(shape.owner)},
          {"handler_oid", Param::oid(function)}};
}

}  // namespace metrics_refresh::api
