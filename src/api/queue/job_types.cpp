// register_job_type(), alter_job_type(), drop_job_type(), pause_job_type() and resume_job_type().
//
// The handler of a type runs with the rights of the type's owner. So a caller who chooses it, or
// the owner, or the mode, needs these rights; to be a super admin is not enough.
#include "api/access.hpp"
#include "api/option_table.hpp"
#include "api/queue/job_type_access.hpp"
#include "api/shares.hpp"
#include "extension/own_schema.hpp"
#include "extension/privilege.hpp"
#include "pg/role.hpp"
#include "shmem/queue/live_counts.hpp"
#include "store/queue/locks.hpp"
#include "store/queue/stopped.hpp"

namespace metrics_refresh::api {
namespace {

using pg::Param;
using store::queue::JobMode;
using store::queue::JobType;

constexpr char kRunsAsOwner[] = "Jobs run with all rights of the owner of their type.";

// As for jobs on a schedule: a timeout up to the default is accepted if the limit is lower.
Param read_timeout(const NamedArguments& arguments, const Option& option) {
  return read_runtime(arguments, option, std::chrono::minutes(5));
}

constexpr bool kOptional = true;
constexpr double kMillion = 1'000'000;

constexpr Option kTypeOptions[] = {
    {"max_attempts", INT4OID, read_number, false, false, 1, 1000},
    {"backoff", INTERVALOID, read_interval, false, false, 0, kLongestOption},
    {"max_backoff", INTERVALOID, read_interval, false, false, 0, kLongestOption},
    {"timeout", INTERVALOID, read_timeout, false, false, 1, kLongestOption},
    {"concurrency", INT4OID, read_limit, kOptional, false, 0, kMillion},
    {"concurrency_per_key", INT4OID, read_limit, kOptional, false, 0, kMillion},
    {"rate_limit", INT4OID, read_limit, kOptional, false, 0, 1000 * kMillion},
    {"rate_period", INTERVALOID, read_interval, false, false, 1, kLongestOption},
    {"priority", INT4OID, read_number, false, false, -100, 100},
    {"mode", TEXTOID, read_word<JobMode>},
};

JobMode mode_of(const NamedArguments& arguments, JobMode usual) {
  const std::optional<std::string> word = arguments.get_text("mode");
  return word ? store::from_argument<JobMode>("mode", *word) : usual;
}

// The role in the argument `owner`, if there is one.
std::optional<Oid> chosen_owner(const NamedArguments& arguments) {
  const std::optional<std::string> name = arguments.get_name("owner");
  if (!name) return std::nullopt;
  const Oid role = pg::role_oid(*name);
  if (!OidIsValid(role))
    throw pg::SqlError(ERRCODE_UNDEFINED_OBJECT, "role \"" + *name + "\" does not exist");
  if (role != GetUserId()) extension::require_super_admin("making a job type for another role");
  return role;
}

// Jobs run connected as the owner. Without this check each would fail.
void require_login(Oid role) {
  const std::optional<pg::SqlError> reason = extension::reason_against_login(role);
  if (!reason) return;
  throw pg::SqlError(reason->sqlstate(), reason->what(),
                     reason->hint() + " Another role can be: owner => ...");
}

void add_owner(store::Columns& columns, Oid owner) {
  columns.emplace_back("owner", pg::role_name(owner));
  columns.emplace_back("owner_oid", Param::oid(owner));
}

// A type has either a handler or the mode external.
void add_handler(store::Columns& columns, JobMode mode, Oid function, Oid owner) {
  if (mode == JobMode::kExternal) {
    for (const char* const column : {"handler_schema", "handler_name", "handler_owner"})
      columns.emplace_back(column, Param::null(NAMEOID));
    columns.emplace_back("passes_id", false);
    columns.emplace_back("handler_oid", Param::oid(InvalidOid));
    return;
  }
  require_login(owner);
  const store::Columns handler = handler_columns(function, owner);
  columns.insert(columns.end(), handler.begin(), handler.end());
}

void check_handler_argument(JobMode mode, bool has_handler) {
  if (mode == JobMode::kExternal && has_handler)
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE,
                       "a job type with mode external has no handler",
                       "Its jobs are claimed by clients with metrics_refresh.claim_jobs().");
  if (mode != JobMode::kExternal && !has_handler)
    throw pg::SqlError(ERRCODE_NULL_VALUE_NOT_ALLOWED, "handler must not be NULL",
                       "Give a function: handler => 'schema.function(jsonb)'. Only jobs of a type "
                       "with mode => 'external' are run by clients.");
}

void reserve(const std::string& name) {
  bool is_free = false;
  extension::as_extension(
      [&](pg::Spi&) { is_free = store::queue::reserve_type_name(name, GetUserId()); });
  if (!is_free)
    throw pg::SqlError(ERRCODE_LOCK_NOT_AVAILABLE,
                       "job type \"" + name + "\" is being made by another session",
                       "Try again when its transaction has ended.");
}

// A type whose owner was dropped can be given to another role. Its code then has the rights of that
// role alone.
void require_rights_over(const JobType& type, bool is_given_away) {
  const bool is_gone = pg::role_name(type.owner_oid).empty();
  if (!is_gone || !is_given_away) require_rights_for_type(type.owner_oid, kRunsAsOwner);
}

// The limits of a new type end those of the old one: what is not given has its default.
Datum register_type(FunctionCallInfo call) {
  shmem::queue::require_queue();
  const NamedArguments arguments(call);
  const std::string name = Arguments::required(arguments.get_text("type"), "type");
  check_type_name(name);
  Options options = new_options(arguments, kTypeOptions);
  const JobMode mode = mode_of(arguments, JobMode::kExactlyOnce);
  const std::optional<Oid> function = arguments.get_oid("handler");
  check_handler_argument(mode, function.has_value());
  const std::optional<Oid> chosen = chosen_owner(arguments);
  std::optional<JobType> type = find_and_lock_type(name);
  if (!type) {
    reserve(name);
    // Another session of this role may have made it in the meantime.
    type = find_and_lock_type(name);
  }
  if (type) require_rights_over(*type, chosen.has_value());
  const Oid owner = chosen.value_or(type ? type->owner_oid : GetUserId());
  require_rights_for_type(owner, kRunsAsOwner);
  add_owner(options.columns, owner);
  add_handler(options.columns, mode, function.value_or(InvalidOid), owner);
  const JobShare share(owner);
  extension::as_extension([&](pg::Spi& spi) {
    if (type) return store::queue::update_job_type(spi, type->id, options.columns);
    options.columns.emplace_back("name", name);
    store::queue::insert_job_type(spi, options.columns);
  });
  share.check();
  if (!type || type->owner_oid != owner) check_share_of_types(owner);
  return Datum{0};
}

Datum alter_type(FunctionCallInfo call) {
  const NamedArguments arguments(call);
  const JobType type = locked_type(Arguments::required(arguments.get_text("type"), "type"));
  Options options = changed_options(arguments, kTypeOptions);
  const JobMode mode = mode_of(arguments, type.mode);
  const std::optional<Oid> function = arguments.get_oid("handler");
  const std::optional<Oid> chosen = chosen_owner(arguments);
  const Oid owner = chosen.value_or(type.owner_oid);
  if (function || chosen || mode != type.mode) {
    require_rights_over(type, chosen.has_value());
    require_rights_for_type(owner, kRunsAsOwner);
    const Oid handler = function                     ? *function
                        : mode == JobMode::kExternal ? InvalidOid
                                                     : type.find_function();
    check_handler_argument(
        mode, function || (type.mode != JobMode::kExternal && mode != JobMode::kExternal));
    if (!function && mode != JobMode::kExternal) require_handler(type, handler);
    add_owner(options.columns, owner);
    add_handler(options.columns, mode, handler, owner);
  }
  const JobShare share(owner);
  extension::as_extension(
      [&](pg::Spi& spi) { store::queue::update_job_type(spi, type.id, options.columns); });
  share.check();
  if (type.owner_oid != owner) check_share_of_types(owner);
  return Datum{0};
}

Datum set_paused(FunctionCallInfo call, bool paused) {
  const JobType type = locked_type(Arguments::required(Arguments(call).get_text(0), "type"));
  extension::as_extension([&](pg::Spi& spi) {
    store::queue::update_job_type(spi, type.id, {{"paused", paused}});
  });
  return Datum{0};
}

Datum pause_type(FunctionCallInfo call) { return set_paused(call, true); }

Datum resume_type(FunctionCallInfo call) { return set_paused(call, false); }

// Jobs of open transactions are not seen. If they commit, they become dead.
void require_no_open_jobs(const JobType& type) {
  bool has_jobs = false;
  extension::as_extension([&](pg::Spi& spi) {
    has_jobs = shmem::queue::are_exact() ? shmem::queue::type_counts(type.id).counts.open > 0
                                         : store::queue::has_open_jobs(spi, type.id);
  });
  if (!has_jobs) return;
  throw pg::SqlError(ERRCODE_OBJECT_IN_USE,
                     "job type \"" + type.name + "\" has jobs that have not ended",
                     "Cancel them, or wait until they have ended. pause_job_type() starts no more "
                     "of them.");
}

void remove_stopped_jobs(pg::Spi& spi, int type) {
  constexpr std::int64_t kPart = 1000;
  for (store::queue::JobNumber cursor = 0;;) {
    std::int64_t removed = 0;
    for (const auto& count :
         store::queue::purge_stopped(spi, {type}, DT_NOEND, std::nullopt, cursor, kPart))
      removed += count.dead + count.canceled;
    if (removed < kPart) return;
    pg::call([] { CHECK_FOR_INTERRUPTS(); });
  }
}

Datum drop_type(FunctionCallInfo call) {
  shmem::queue::require_queue();
  const std::string name = Arguments::required(Arguments(call).get_text(0), "type");
  // A missing type is not an error, so that scripts can be repeated.
  const std::optional<JobType> type = find_and_lock_type(name);
  if (!type) {
    report_missing_type(name);
    return BoolGetDatum(false);
  }
  require_no_open_jobs(*type);
  extension::as_extension([&](pg::Spi& spi) {
    remove_stopped_jobs(spi, type->id);
    store::queue::delete_job_type(spi, type->id);
  });
  return BoolGetDatum(true);
}

}  // namespace

MR_SQL_FUNCTION(mr_register_job_type, register_type);
MR_SQL_FUNCTION(mr_alter_job_type, alter_type);
MR_SQL_FUNCTION(mr_pause_job_type, pause_type);
MR_SQL_FUNCTION(mr_resume_job_type, resume_type);
MR_SQL_FUNCTION(mr_drop_job_type, drop_type);

}  // namespace metrics_refresh::api
