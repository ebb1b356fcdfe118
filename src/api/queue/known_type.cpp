#include "api/queue/known_type.hpp"

#include <algorithm>

#include "api/queue/job_type_access.hpp"
#include "extension/own_schema.hpp"
#include "extension/settings.hpp"
#include "pg/rights_watch.hpp"
#include "pg/role.hpp"
#include "store/job_changes.hpp"
#include "store/queue/news.hpp"

namespace metrics_refresh::api {
namespace {

// An entry of a direct-mapped cache. Plain data, which needs no destructor.
struct Entry {
  KnownType type;
  std::uint64_t version;  // of the types
  std::uint64_t rights;   // the version of functions and roles
  Oid caller;             // that may add jobs
  std::size_t length;     // of the name; 0: the entry is empty
  char name[kLongestTypeName];
};
Entry entries[64];
Entry& entry_of(const char* name, std::size_t length) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(name);
  return entries[hash_bytes(bytes, static_cast<int>(length)) % std::size(entries)];
}

void check_caller(const store::queue::JobType& type, Oid function) {
  const Oid caller = GetUserId();
  const bool is_external = type.mode == store::queue::JobMode::kExternal;
  const bool may = is_external ? OidIsValid(type.owner_oid) && pg::has_rights_of(type.owner_oid)
                               : pg::call([=] { return pg::may_execute(function, caller); });
  if (may) return;
  throw pg::SqlError(
      ERRCODE_INSUFFICIENT_PRIVILEGE, "permission denied for job type \"" + type.name + "\"",
      is_external ? "Members of the owner of a type with mode external may add and claim jobs."
                  : "GRANT EXECUTE ON FUNCTION " + type.handler.schema + "." + type.handler.name +
                        " gives the right to add jobs of this type.",
      "The role \"" + pg::role_name(caller) + "\" may not " +
          (is_external ? "act as the owner of the type." : "execute its handler."));
}

void read_entry(Entry& entry, const std::string& name) {
  entry.length = 0;
  // Read before the row and the catalogs: a change in between is then noticed.
  const std::uint64_t version = store::job_types_version();
  const std::uint64_t rights = pg::rights_version();
  std::optional<store::queue::JobType> type;
  extension::as_extension(
      [&](pg::Spi& spi) { type = store::queue::find_latest_job_type(spi, name); });
  if (!type) refuse_missing_type(name);
  const Oid function = type->find_function();
  require_handler(*type, function);
  check_caller(*type, function);
  const bool has_share = OidIsValid(type->owner_oid) && !pg::is_superuser(type->owner_oid);
  entry.type = {type->mode, type->id, type->owner_oid,
                has_share,  function, static_cast<std::int16_t>(type->priority)};
  entry.version = version;
  entry.rights = rights;
  entry.caller = GetUserId();
  memcpy(entry.name, name.data(), name.size());
  entry.length = name.size();
}

}  // namespace

const KnownType& type_to_add_to(const text* name) {
  const char* const bytes = VARDATA_ANY(name);
  const std::size_t length = VARSIZE_ANY_EXHDR(name);
  if (length == 0 || length > kLongestTypeName) {
    check_type_name(std::string(bytes, length));
    pg_unreachable();
  }
  Entry& entry = entry_of(bytes, length);
  if (entry.length != length || memcmp(entry.name, bytes, length) != 0 ||
      entry.version != store::job_types_version() || entry.rights != pg::rights_version() ||
      entry.caller != GetUserId())
    read_entry(entry, std::string(bytes, length));
  return entry.type;
}

void check_share_of_queue(const KnownType& type, std::int64_t count) {
  if (!type.has_share) return;
  const std::int64_t most = settings::max_queued_jobs_per_role();
  if (store::queue::promise_jobs(type.owner, count, most)) return;
  throw pg::SqlError(
      ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
      "role \"" + pg::role_name(type.owner) + "\" would have more background jobs than it may",
      "Wait until some have ended, or cancel_job() them, or ask an administrator "
      "to raise metrics_refresh.max_queued_jobs_per_role.",
      "metrics_refresh.max_queued_jobs_per_role is " + std::to_string(most) + ".");
}

}  // namespace metrics_refresh::api
