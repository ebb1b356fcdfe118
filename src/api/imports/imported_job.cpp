// Makes jobs from old jobs.
//
// A new job is made by an SQL statement, the same that the result of the import shows to the user.
// It goes through the ordinary functions with all their checks. Names finds the job that an earlier
// import made from the same old job, so that an import can be repeated.
#include "api/imports/imported_job.hpp"

#include <algorithm>

#include "api/access.hpp"
#include "extension/own_schema.hpp"
#include "extension/settings.hpp"
#include "pg/identity.hpp"
#include "pg/quote.hpp"
#include "pg/role.hpp"

namespace metrics_refresh::api {
namespace {

using pg::literal;
using pg::Param;

std::string plain_name(const store::ViewName& view) {
  return engine::qualified_name(view.first, view.second);
}

// The views as a comma-separated text.
template <typename Write>
std::string list(const std::vector<store::ViewName>& views, Write write) {
  std::string text;
  for (const store::ViewName& view : views) core::append_item(text, write(view));
  return text;
}

// The old job had no limit, so the new job gets the longest runtime that the role may have.
std::string longest_runtime(Oid role) {
  const char* text = pg::call([role]() -> const char* {
    if (superuser_arg(role)) return "24 days";
    return GetConfigOptionByName("metrics_refresh.max_job_runtime", nullptr, false);
  });
  return text;
}

// If the timeout is longer than the role may ask for, the job gets the longest runtime that is
// allowed.
bool is_allowed(Oid role, int milliseconds) {
  return pg::is_superuser(role) ||
         std::chrono::milliseconds(milliseconds) <= settings::max_job_runtime();
}

std::string milliseconds(int length) {
  return length % 1000 == 0 ? std::to_string(length / 1000) + " s" : std::to_string(length) + " ms";
}

// A timeout of 0 means no limit. It becomes the longest value that is allowed.
std::string limits_of(const ImportedJob& job) {
  // 24 days, the limit of the option (api/jobs/options.cpp).
  constexpr int kLongest = 24 * 24 * 3600 * 1000;
  std::string text;
  if (const auto lock = job.timeouts.lock)
    text += ", lock_timeout => " +
            literal(*lock == 0 || *lock > kLongest ? "24 days" : milliseconds(*lock));
  if (const auto statement = job.timeouts.statement) {
    const bool is_limit =
        *statement > 0 && *statement <= kLongest && is_allowed(job.owner, *statement);
    text += ", max_runtime => " +
            literal(is_limit ? milliseconds(*statement) : longest_runtime(job.owner));
  }
  return text;
}

std::string call_of(const ImportedJob& job) {
  const std::string name = literal(job.name);
  const std::string schedule = literal(job.schedule);
  if (job.views.size() == 1)
    return "schedule(" + literal(plain_name(job.views[0])) + ", " + schedule + ", job_name => " +
           name + limits_of(job);
  if (job.views.size() > 1)
    return "schedule_group(" + name + ", ARRAY[" +
           list(job.views, [](const store::ViewName& view) { return literal(plain_name(view)); }) +
           "]::pg_catalog.regclass[], schedule => " + schedule + ", populate => false" +
           limits_of(job);
  // Old schedulers do not retry either.
  return "schedule_command(" + name + ", " + schedule + ", " + literal(job.command) +
         ", max_runtime => " + literal(longest_runtime(job.owner)) +
         ", lock_timeout => '24 days', max_retries => 0";
}

const char* kind_text(const ImportedJob& job) {
  if (job.command.empty()) return "none";
  if (job.views.empty()) return "command";
  return job.views.size() == 1 ? "refresh" : "group";
}

std::string target_text(const ImportedJob& job) {
  return job.views.empty() ? job.command : list(job.views, plain_name);
}

// True if the job does the same for the same owner. The order of a group's views does not matter.
bool has_task(pg::Spi& spi, const store::JobRecord& job, const ImportedJob& imported) {
  if (job.owner_oid != imported.owner) return false;
  if (job.is_command()) return imported.views.empty() && job.command == imported.command;
  if (job.is_refresh())
    return imported.views == std::vector<store::ViewName>{{job.view_schema, job.view_name}};
  const std::vector<store::ViewName> members = store::members_of(spi, job.id);
  return imported.views.size() > 1 &&
         std::is_permutation(members.begin(), members.end(), imported.views.begin(),
                             imported.views.end());
}

// A job with options that an import never sets is not due alike.
bool has_same_due_times(const store::JobRecord& job, const ImportedJob& imported) {
  return job.active == imported.active && !job.suspended && job.schedule == imported.schedule &&
         job.timezone == imported.timezone.value_or("") && !job.starts_at && !job.ends_at &&
         job.blackout.empty();
}

Param name_or_null(const std::string& text) {
  if (text.empty()) return Param::null(NAMEOID);
  const char* name = text.c_str();
  return Param(NAMEOID,
               pg::call([name] { return DirectFunctionCall1(namein, CStringGetDatum(name)); }));
}

}  // namespace

bool is_this_host(const std::string& host) {
  return host.empty() || host == "localhost" || host == "127.0.0.1" || host == "::1" ||
         host.front() == '/';
}

std::string statement_of(const ImportedJob& job) {
  std::string statement = "SELECT metrics_refresh." + call_of(job);
  if (job.timezone) statement += ", timezone => " + literal(*job.timezone);
  if (!job.active) statement += ", active => false";
  return statement + ", owner => " + literal(job.owner_name) + ")";
}

Found Names::find_by_task(ImportedJob& job, const std::string& prefix) {
  Found best = Found::kNothing;
  extension::as_extension([&](pg::Spi& spi) {
    for (const store::JobRecord& other : store::load_jobs(spi)) {
      if (other.name.compare(0, prefix.size(), prefix) != 0 ||
          reserved_.count({job.owner, other.name}) != 0 || !has_task(spi, other, job))
        continue;
      const Found found = has_same_due_times(other, job) ? Found::kEqual : Found::kChanged;
      if (found <= best) continue;
      best = found;
      job.name = other.name;
    }
  });
  if (best != Found::kNothing) reserved_.insert({job.owner, job.name});
  return best;
}

Found Names::find_or_reserve(ImportedJob& job, bool by_name) {
  const std::string wished = job.name;
  for (int i = 1;; ++i) {
    if (i > 1) job.name = wished + " (" + std::to_string(i) + ")";
    if (reserved_.count({job.owner, job.name}) != 0) continue;
    std::optional<store::JobRecord> found;
    bool is_same = false;
    extension::as_extension([&](pg::Spi& spi) {
      found = store::find_job(spi, job.name, job.owner);
      if (found && !dry_run_) {
        store::lock_job(spi, found->id);
        found = store::find_job(spi, job.name, job.owner);
      }
      is_same = found && has_task(spi, *found, job);
    });
    if (found && !is_same && !by_name) continue;
    reserved_.insert({job.owner, job.name});
    if (!found) return Found::kNothing;
    if (!is_same) return Found::kOther;
    return has_same_due_times(*found, job) ? Found::kEqual : Found::kChanged;
  }
}

void make_job(const ImportedJob& job, const std::string& what, Oid role) {
  const std::string statement = statement_of(job);
  try {
    // DROP EXTENSION locks the extension before its tables. The same order here prevents a
    // deadlock.
    extension::lock_extension();
    pg::ActAs scope(role);
    pg::with_fixed_search_path([&] {
      pg::Spi spi;
      spi.run_discarding(statement);
    });
  } catch (const pg::PgError& error) {
    const ErrorData& data = error.data();
    throw pg::SqlError(error.sqlstate(), what + ": " + error.what(),
                       data.hint != nullptr ? data.hint : "",
                       data.detail != nullptr ? data.detail : "");
  }
}

void add_row(SetResult& result, const ImportedJob& job) {
  // Even a job that was left has a statement, if it has a schedule: the user can run it in the
  // right database.
  const bool is_made = !job.schedule.empty();
  result.add({Param(job.source_id), Param::text_or_null(job.name), Param(kind_text(job)),
              Param::text_or_null(target_text(job)), Param::text_or_null(job.old_schedule),
              Param::text_or_null(job.schedule), Param::nullable(job.timezone, TEXTOID),
              name_or_null(job.owner_name), name_or_null(job.database), Param(job.active),
              Param(job.action), Param::text_or_null(core::joined(job.notes, "; ")),
              is_made ? Param(statement_of(job)) : Param::null(TEXTOID)});
}

void lock_imports(Oid role) {
  extension::lock_extension();
  extension::lock_imports(role);
}

}  // namespace metrics_refresh::api
