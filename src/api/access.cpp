#include "core/text.hpp"

// Finds the job that a caller means by a name, and decides who may manage it.
//
// Names are unique for each owner only. Thus a name is resolved in this order: a number is a
// job_id; a job of the caller with this name; the only other job with this name that the caller may
// manage; and finally the only job that refreshes a view with this name. A job that the caller may
// not manage can lead to an error, but never to a wrong choice.
#include "api/access.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>

#include "extension/own_schema.hpp"
#include "extension/privilege.hpp"
#include "pg/identity.hpp"
#include "pg/role.hpp"
#include "store/job_names.hpp"

namespace metrics_refresh::api {

namespace {

// The most similar name among the jobs that the caller may see, or empty if none is similar.
std::string likely_job(const std::string& name) {
  std::vector<std::string> names;
  // With the rights of the caller: a hint must not reveal jobs of other roles.
  pg::with_own_sql([&] {
    pg::Spi spi;
    names = store::names_like(spi, name);
  });
  return most_similar(name, std::move(names));
}

std::vector<store::JobKey> look_up(const std::string& name) {
  std::vector<store::JobKey> keys;
  std::int64_t id = 0;
  const bool is_id = is_job_id(name);
  // A number that does not fit is not the number of any job.
  if (is_id && std::from_chars(name.data(), name.data() + name.size(), id).ec != std::errc())
    return keys;
  extension::as_extension([&](pg::Spi& spi) {
    if (!is_id)
      keys = store::jobs_named(spi, name);
    else if (const auto key = store::find_key(spi, id))
      keys.push_back(*key);
  });
  return keys;
}

// The stored name is used if the role was dropped.
std::string owner_of(const store::JobKey& job) {
  const std::string role = pg::role_name(job.owner_oid);
  return role.empty() ? job.owner : role;
}

std::vector<store::JobKey> managed_of(const std::vector<store::JobKey>& jobs) {
  std::vector<store::JobKey> managed;
  std::copy_if(jobs.begin(), jobs.end(), std::back_inserter(managed), may_manage);
  return managed;
}

[[noreturn]] void refuse_ambiguous(const std::string& name, const char* meaning,
                                   const std::vector<store::JobKey>& jobs) {
  // Bounds the length of the message.
  constexpr std::size_t kNamed = 10;
  std::string detail;
  for (std::size_t i = 0; i < std::min(jobs.size(), kNamed); ++i)
    detail += (i > 0 ? ", job " : "Job ") + std::to_string(jobs[i].id) + " belongs to role \"" +
              owner_of(jobs[i]) + "\"";
  detail += jobs.size() > kNamed ? ", and so on." : ".";
  throw pg::SqlError(ERRCODE_AMBIGUOUS_ALIAS,
                     "several jobs " + std::string(meaning) + " \"" + name + "\"",
                     "Give the job_id in place of the name.", detail);
}

// Jobs that the caller may not manage are not considered: the caller named a view, not a job.
std::optional<std::int64_t> find_by_view(const std::string& view) {
  std::vector<store::JobKey> jobs;
  extension::as_extension([&](pg::Spi& spi) { jobs = store::jobs_of_view(spi, view); });
  const std::vector<store::JobKey> managed = managed_of(jobs);
  if (managed.empty()) return std::nullopt;
  if (managed.size() > 1) refuse_ambiguous(view, "refresh a view named", managed);
  return managed.front().id;
}

std::string missing_job(const std::string& name) { return "job \"" + name + "\" does not exist"; }

std::string hint_for_missing(const std::string& name) {
  const std::string likely = is_job_id(name) ? "" : likely_job(name);
  return (likely.empty() ? "" : "Perhaps you meant the job \"" + likely + "\". ") +
         std::string("The view metrics_refresh.job_status lists the jobs that you may see.");
}

}  // namespace

std::string most_similar(const std::string& name, std::vector<std::string> names) {
  // One letter in three may differ. Upper and lower case are equal.
  unsigned least = static_cast<unsigned>(name.size() / 3) + 1;
  std::string best;
  for (std::string& other : names) {
    const unsigned distance = core::edit_distance(name, other, least);
    // `public.sales` is similar to `sales`, in both directions.
    const bool is_view =
        distance > 1 && (core::is_last_part(name, other) || core::is_last_part(other, name));
    // Only a better match replaces the best one, so that the first of equal names wins.
    if (!is_view && distance >= least) continue;
    least = is_view ? 1 : distance;
    best = std::move(other);
  }
  return best;
}

bool may_manage(const store::JobKey& job) {
  // Cheap tests first. Finding the view may need a lookup by name.
  if (OidIsValid(job.owner_oid) && pg::has_rights_of(job.owner_oid)) return true;
  if (extension::is_super_admin()) return true;
  if (job.view_name.empty()) return false;
  const Oid view = engine::resolve_view(job);
  return OidIsValid(view) && pg::has_rights_of(engine::relation_owner(view));
}

bool is_job_id(const std::string& name) {
  return !name.empty() && name.find_first_not_of("0123456789") == std::string::npos;
}

std::optional<std::int64_t> find_managed(const std::string& name) {
  const std::vector<store::JobKey> jobs = look_up(name);
  if (jobs.empty()) return is_job_id(name) ? std::nullopt : find_by_view(name);
  for (const store::JobKey& job : jobs)
    // The caller's own job is meant even if it may manage others with this name.
    if (job.owner_oid == GetUserId()) return job.id;
  const std::vector<store::JobKey> managed = managed_of(jobs);
  if (managed.empty())
    throw pg::SqlError(ERRCODE_INSUFFICIENT_PRIVILEGE, "permission denied for job \"" + name + "\"",
                       "Its owner, the owner of its view and super admins may change it.");
  if (managed.size() > 1) refuse_ambiguous(name, "are named", managed);
  return managed.front().id;
}

// A number gets no suggestion.
void refuse_missing_job(const std::string& name) {
  throw pg::SqlError(ERRCODE_UNDEFINED_OBJECT, missing_job(name), hint_for_missing(name));
}

void report_missing_job(const std::string& name) {
  const std::string message = missing_job(name);
  const std::string hint = hint_for_missing(name);
  const char* message_text = message.c_str();
  const char* hint_text = hint.c_str();
  pg::call([=] { ereport(NOTICE, errmsg_internal("%s", message_text), errhint("%s", hint_text)); });
}

store::JobRecord managed_job(const std::string& name) {
  const std::optional<std::int64_t> id = find_managed(name);
  std::optional<store::JobRecord> job;
  if (id) extension::as_extension([&](pg::Spi& spi) { job = store::find_job(spi, *id); });
  if (!job) refuse_missing_job(name);
  return std::move(*job);
}

void require_refresh_rights(const engine::View& view) {
  if (!engine::has_view_rights(GetUserId(), view) && !extension::is_super_admin())
    engine::require_view_rights(GetUserId(), view);
}

void require_right_to_commands() {
  const Oid role = GetUserId();
  bool may = false;
  extension::as_extension([&](pg::Spi& spi) {
    // The privilege on this function is the right to write commands; there is no separate setting.
    may = spi.query(
                 "SELECT has_function_privilege($1,"
                 " 'metrics_refresh.schedule_command'::regproc::oid, 'EXECUTE') AS may_write",
                 {pg::Param::oid(role)})
              .get_bool(0, "may_write");
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
