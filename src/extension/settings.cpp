// Defines the settings of the extension. Each setting has a static variable that the server writes,
// a definition with default and limits, and a function that returns its value.
//
// The context of a setting follows from its reader. Settings that size shared memory are
// PGC_POSTMASTER. Settings of background processes are PGC_SIGHUP or PGC_SUSET. Limits of
// health_check() affect only the caller and are PGC_USERSET.
#include "extension/settings.hpp"

#include <algorithm>

#include "pg/guard.hpp"
#include "pg/time_zone.hpp"

namespace metrics_refresh::settings {
namespace {

// Written by the server.
bool enabled_value = true;
int max_workers_value = 4;
int max_databases_value = 256;
int max_tracked_tables_value = 1024;
bool log_skips_value = false;
int database_workers_value = 0;
int max_jobs_per_role_value = 1000;
// In kB, because settings are 32-bit integers.
int max_job_kilobytes_per_role = 10 * 1024;
int max_requests_per_role_value = 1000;
int max_group_views_per_role_value = 10'000;
int max_tracked_tables_per_role_value = 256;
int max_workers_per_role_value = 0;
int yield_after_s = 600;
int worker_idle_timeout_ms = 5000;
int scheduler_idle_timeout_ms = 30'000;
// In minutes: in milliseconds, an int would hold at most 24 days.
int log_retention_minutes = 30 * 24 * 60;
int suspend_after_value = 20;
int audit_every_value = 100;
int cancel_grace_ms = 10'000;
int max_job_runtime_s = 24 * 3600;
int max_queue_databases_value = 8;
int queue_memory_kilobytes = 5 * 1024;
int queue_workers_value = 2;
int queue_flush_value = static_cast<int>(QueueFlush::kShared);
int queue_history_minutes = 7 * 24 * 60;
int queue_max_payload_kilobytes = 1024;
int queue_group_time_ms = 10;
int queue_crash_limit_value = 3;
bool queue_notify_value = true;
int max_queued_jobs_per_role_value = 1'000'000;
char* timezone_value = nullptr;
char* admin_role_value = nullptr;
char* admin_check_value = nullptr;
int health_window_value = 24;
double success_rate_warning_value = 95;
double success_rate_critical_value = 80;
int duration_warning_ms = 5000;
int stale_warning_value = 2;
int stale_critical_value = 3;

const config_enum_entry kQueueFlushes[] = {
    {"shared", static_cast<int>(QueueFlush::kShared), false},
    {"per_job", static_cast<int>(QueueFlush::kPerJob), false},
    {nullptr, 0, false}};

// The empty string stands for UTC.
bool timezone_is_known(char** value, void**, GucSource) {
  if (**value == '\0' || pg::find_time_zone(*value) != nullptr) return true;
  GUC_check_errdetail("Time zone \"%s\" is not known.", *value);
  GUC_check_errhint("See the view pg_timezone_names.");
  return false;
}

// Only the syntax is checked: the function may be created later, and there may be no transaction
// here.
bool function_name_is_qualified(char** value, void**, GucSource) {
  if (**value == '\0') return true;
  // SplitIdentifierString() modifies its argument.
  char* copy = pstrdup(*value);
  List* names = NIL;
  if (SplitIdentifierString(copy, '.', &names) && list_length(names) == 2) return true;
  GUC_check_errdetail("The function name must be qualified with its schema.");
  GUC_check_errhint("For example: public.is_super_admin");
  return false;
}

std::string text(const char* value) { return value != nullptr ? value : ""; }

void define_processes() {
  DefineCustomBoolVariable("metrics_refresh.enabled", "Starts runs that are due.",
                           "Off: no new run starts; a run under way goes on.", &enabled_value, true,
                           PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("metrics_refresh.max_workers",
                          "Workers in the cluster, each with one run at a time.",
                          "Each takes one of max_worker_processes.", &max_workers_value, 4, 1, 256,
                          PGC_POSTMASTER, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable(
      "metrics_refresh.max_databases", "Databases of the cluster that may have the extension.",
      nullptr, &max_databases_value, 256, 1, 10'000, PGC_POSTMASTER, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable(
      "metrics_refresh.max_tracked_tables", "Tables of the cluster whose changes are counted.",
      "A view that reads another is refreshed whether its tables changed or "
      "not.",
      &max_tracked_tables_value, 1024, 0, 100'000, PGC_POSTMASTER, 0, nullptr, nullptr, nullptr);
  DefineCustomBoolVariable("metrics_refresh.log_skips",
                           "Logs also the due times at which a view had nothing to refresh.",
                           "job_status counts them in any case.", &log_skips_value, false,
                           PGC_SUSET, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("metrics_refresh.max_workers_per_database",
                          "Runs of one database that may be under way at once.",
                          "0: as many as metrics_refresh.max_workers.", &database_workers_value, 0,
                          0, 256, PGC_SUSET, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("metrics_refresh.worker_idle_timeout",
                          "How long a worker waits for another run before it exits.", nullptr,
                          &worker_idle_timeout_ms, 5000, 0, INT_MAX, PGC_SIGHUP, GUC_UNIT_MS,
                          nullptr, nullptr, nullptr);
  DefineCustomIntVariable("metrics_refresh.cancel_grace",
                          "How long a run may go on after its cancel or its max_runtime.",
                          "Then its worker is terminated, and the log says so.", &cancel_grace_ms,
                          10'000, 0, INT_MAX, PGC_SIGHUP, GUC_UNIT_MS, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("metrics_refresh.max_job_runtime",
                          "Longest max_runtime of jobs that no superuser owns.",
                          "A job that asks for more is ended then.", &max_job_runtime_s, 24 * 3600,
                          1, 24 * 24 * 3600, PGC_SUSET, GUC_UNIT_S, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("metrics_refresh.scheduler_idle_timeout",
                          "How far away the next due time must be for a scheduler to exit.",
                          "The launcher starts it again in time.", &scheduler_idle_timeout_ms,
                          30'000, 1000, INT_MAX, PGC_SIGHUP, GUC_UNIT_MS, nullptr, nullptr,
                          nullptr);
  DefineCustomStringVariable("metrics_refresh.timezone", "Time zone of jobs that name none.",
                             "Empty: UTC.", &timezone_value, "", PGC_SUSET, 0, timezone_is_known,
                             nullptr, nullptr);
  DefineCustomIntVariable("metrics_refresh.log_retention", "Age at which log rows are removed.",
                          nullptr, &log_retention_minutes, 30 * 24 * 60, 1, INT_MAX, PGC_SUSET,
                          GUC_UNIT_MIN, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("metrics_refresh.suspend_after",
                          "Consecutive permanent failures after which a job is suspended.",
                          "0: never.", &suspend_after_value, 20, 0, INT_MAX, PGC_SUSET, 0, nullptr,
                          nullptr, nullptr);
  DefineCustomIntVariable(
      "metrics_refresh.audit_every",
      "Incremental refreshes, and skips, of a view of which the last is "
      "replaced by a look at all rows.",
      "A row that is wrong then is an alarm, and the view is refreshed by diff, "
      "and not skipped, from then on. 0: never.",
      &audit_every_value, 100, 0, INT_MAX, PGC_SUSET, 0, nullptr, nullptr, nullptr);
}

// A superuser can set different limits for a role or a database with ALTER ROLE … SET or ALTER
// DATABASE … SET. They apply when that role makes a job or requests a run. The scheduler uses one
// value for all roles.
void define_shares() {
  DefineCustomIntVariable("metrics_refresh.max_jobs_per_role",
                          "Jobs that one role may own in a database.", "Superusers have no limit.",
                          &max_jobs_per_role_value, 1000, 0, INT_MAX, PGC_SUSET, 0, nullptr,
                          nullptr, nullptr);
  DefineCustomIntVariable("metrics_refresh.max_job_bytes_per_role",
                          "Size of all that is stored of the jobs that one role owns in a "
                          "database.",
                          "Superusers have no limit.", &max_job_kilobytes_per_role, 10 * 1024, 0,
                          INT_MAX, PGC_SUSET, GUC_UNIT_KB, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("metrics_refresh.max_requests_per_role",
                          "Runs that one role has asked for in a database and that have not begun.",
                          "Superusers have no limit.", &max_requests_per_role_value, 1000, 0,
                          INT_MAX, PGC_SUSET, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("metrics_refresh.max_group_views_per_role",
                          "Views in runs under way of the groups that one role owns in a database.",
                          "Superusers have no limit.", &max_group_views_per_role_value, 10'000, 0,
                          INT_MAX, PGC_SUSET, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("metrics_refresh.max_tracked_tables_per_role",
                          "Tables whose changes are counted for the views of one role.",
                          "At most half of metrics_refresh.max_tracked_tables, which is all that "
                          "limits superusers.",
                          &max_tracked_tables_per_role_value, 256, 0, 100'000, PGC_SIGHUP, 0,
                          nullptr, nullptr, nullptr);
  DefineCustomIntVariable("metrics_refresh.max_workers_per_role",
                          "Runs of the jobs of one role that may be under way at once in the "
                          "cluster.",
                          "0: all but one of metrics_refresh.max_workers. Superusers have no "
                          "limit.",
                          &max_workers_per_role_value, 0, 0, 256, PGC_SIGHUP, 0, nullptr, nullptr,
                          nullptr);
  DefineCustomIntVariable("metrics_refresh.yield_after",
                          "How long a role without a run under way waits for a worker before a "
                          "role with several gives one up.",
                          "0: for as long as their runs take. Runs of superusers' jobs go on.",
                          &yield_after_s, 600, 0, 24 * 24 * 3600, PGC_SIGHUP, GUC_UNIT_S, nullptr,
                          nullptr, nullptr);
}

void define_queue() {
  DefineCustomIntVariable("metrics_refresh.max_queue_databases",
                          "Databases of the cluster that may have a queue of jobs.",
                          "Each has metrics_refresh.queue_memory of shared memory.",
                          &max_queue_databases_value, 8, 1, 256, PGC_POSTMASTER, 0, nullptr,
                          nullptr, nullptr);
  DefineCustomIntVariable("metrics_refresh.queue_memory",
                          "Shared memory for the queue of one database.",
                          "More memory holds more keys at a time, and more claims from outside.",
                          &queue_memory_kilobytes, 5 * 1024, 1024, 1024 * 1024, PGC_POSTMASTER,
                          GUC_UNIT_KB, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("metrics_refresh.queue_workers",
                          "Part of metrics_refresh.max_workers that runs jobs of queues.",
                          "The others run refreshes. At most metrics_refresh.max_workers - 1.",
                          &queue_workers_value, 2, 0, 256, PGC_SIGHUP, 0, nullptr, nullptr,
                          nullptr);
  DefineCustomEnumVariable("metrics_refresh.queue_flush",
                           "How the end of a job of a queue becomes durable.",
                           "shared: one flush of WAL serves many jobs, a few milliseconds later. "
                           "per_job: each job commits as its owner's settings say.",
                           &queue_flush_value, queue_flush_value, kQueueFlushes, PGC_SUSET, 0,
                           nullptr, nullptr, nullptr);
  DefineCustomIntVariable(
      "metrics_refresh.queue_history", "Time that completed jobs of a queue are kept at least.",
      "They are removed by whole periods of a day or longer.", &queue_history_minutes, 7 * 24 * 60,
      60, 400 * 24 * 60, PGC_SUSET, GUC_UNIT_MIN, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("metrics_refresh.queue_max_payload",
                          "Largest payload of a job of a queue.", nullptr,
                          &queue_max_payload_kilobytes, 1024, 1, 64 * 1024, PGC_SUSET, GUC_UNIT_KB,
                          nullptr, nullptr, nullptr);
  DefineCustomIntVariable("metrics_refresh.queue_group_time",
                          "Time after which a group of jobs in one transaction commits.", nullptr,
                          &queue_group_time_ms, 10, 1, 60'000, PGC_SUSET, GUC_UNIT_MS, nullptr,
                          nullptr, nullptr);
  DefineCustomIntVariable("metrics_refresh.queue_crash_limit",
                          "Crashes of the server in which a job ran alone after which it is dead.",
                          nullptr, &queue_crash_limit_value, 3, 1, 100, PGC_SUSET, 0, nullptr,
                          nullptr, nullptr);
  DefineCustomBoolVariable("metrics_refresh.queue_notify",
                           "Notifies the channel metrics_refresh when jobs of a queue have ended.",
                           nullptr, &queue_notify_value, true, PGC_SUSET, 0, nullptr, nullptr,
                           nullptr);
  DefineCustomIntVariable("metrics_refresh.max_queued_jobs_per_role",
                          "Jobs in a queue, of the types of one role, that have not ended.",
                          "Superusers have no limit.", &max_queued_jobs_per_role_value, 1'000'000,
                          0, INT_MAX, PGC_SUSET, 0, nullptr, nullptr, nullptr);
}

// Only superusers may change these, because they grant the rights of a super admin.
void define_privileges() {
  DefineCustomStringVariable("metrics_refresh.admin_role", "Role whose members are super admins.",
                             nullptr, &admin_role_value, "", PGC_SUSET, 0, nullptr, nullptr,
                             nullptr);
  DefineCustomStringVariable("metrics_refresh.admin_check",
                             "Function that says whether the current user is a super admin.",
                             "Schema-qualified name of a function without arguments that returns "
                             "boolean.",
                             &admin_check_value, "", PGC_SUSET, 0, function_name_is_qualified,
                             nullptr, nullptr);
}

// Different sessions may judge health by different limits.
void define_health() {
  DefineCustomIntVariable("metrics_refresh.health_window", "Hours that health_check() looks back.",
                          nullptr, &health_window_value, 24, 1, 24 * 365, PGC_USERSET, 0, nullptr,
                          nullptr, nullptr);
  DefineCustomRealVariable("metrics_refresh.health_success_rate_warning",
                           "Success rate in percent below which health_check() warns.", nullptr,
                           &success_rate_warning_value, 95, 0, 100, PGC_USERSET, 0, nullptr,
                           nullptr, nullptr);
  DefineCustomRealVariable("metrics_refresh.health_success_rate_critical",
                           "Success rate in percent below which health_check() is critical.",
                           nullptr, &success_rate_critical_value, 80, 0, 100, PGC_USERSET, 0,
                           nullptr, nullptr, nullptr);
  DefineCustomIntVariable("metrics_refresh.health_duration_warning",
                          "Mean duration of a job's runs over which health_check() warns.", nullptr,
                          &duration_warning_ms, 5000, 1, INT_MAX, PGC_USERSET, GUC_UNIT_MS, nullptr,
                          nullptr, nullptr);
  DefineCustomIntVariable("metrics_refresh.health_stale_warning",
                          "Due times without a success after which health_check() warns.", nullptr,
                          &stale_warning_value, 2, 1, 1000, PGC_USERSET, 0, nullptr, nullptr,
                          nullptr);
  DefineCustomIntVariable("metrics_refresh.health_stale_critical",
                          "Due times without a success after which health_check() is critical.",
                          nullptr, &stale_critical_value, 3, 1, 1000, PGC_USERSET, 0, nullptr,
                          nullptr, nullptr);
}

}  // namespace

void define() {
  define_processes();
  define_shares();
  define_queue();
  define_privileges();
  define_health();
  // A misspelled setting with our prefix is then an error.
  MarkGUCPrefixReserved("metrics_refresh");
}

bool enabled() { return enabled_value; }
int max_workers() { return max_workers_value; }
int max_databases() { return max_databases_value; }
int max_tracked_tables() { return max_tracked_tables_value; }
bool log_skips() { return log_skips_value; }
int database_workers() { return database_workers_value; }
int max_jobs_per_role() { return max_jobs_per_role_value; }
std::int64_t max_job_bytes_per_role() { return std::int64_t{1024} * max_job_kilobytes_per_role; }
int max_requests_per_role() { return max_requests_per_role_value; }
int max_group_views_per_role() { return max_group_views_per_role_value; }
// At most half, so that one role cannot use all places.
int max_tracked_tables_per_role() {
  return std::min(max_tracked_tables_per_role_value, max_tracked_tables_value / 2);
}
// By default one worker is left for other roles.
int role_workers() {
  if (max_workers_per_role_value > 0) return max_workers_per_role_value;
  return std::max(max_workers_value - 1, 1);
}
int max_queue_databases() { return max_queue_databases_value; }
std::size_t queue_memory() {
  return std::size_t{1024} * static_cast<unsigned>(queue_memory_kilobytes);
}
// One worker is left for runs, unless there is only one.
int queue_workers() { return std::min(queue_workers_value, std::max(max_workers_value - 1, 1)); }
QueueFlush queue_flush() { return static_cast<QueueFlush>(queue_flush_value); }
core::Duration queue_history() { return std::chrono::minutes(queue_history_minutes); }
std::size_t queue_max_payload() {
  return std::size_t{1024} * static_cast<unsigned>(queue_max_payload_kilobytes);
}
core::Duration queue_group_time() { return std::chrono::milliseconds(queue_group_time_ms); }
int queue_crash_limit() { return queue_crash_limit_value; }
bool queue_notify() { return queue_notify_value; }
std::int64_t max_queued_jobs_per_role() { return max_queued_jobs_per_role_value; }
core::Duration yield_after() { return std::chrono::seconds(yield_after_s); }
core::Duration worker_idle_timeout() { return std::chrono::milliseconds(worker_idle_timeout_ms); }
core::Duration scheduler_idle_timeout() {
  return std::chrono::milliseconds(scheduler_idle_timeout_ms);
}
core::Duration log_retention() { return std::chrono::minutes(log_retention_minutes); }
core::Duration cancel_grace() { return std::chrono::milliseconds(cancel_grace_ms); }
core::Duration max_job_runtime() { return std::chrono::seconds(max_job_runtime_s); }
int audit_every() { return audit_every_value; }
int suspend_after() { return suspend_after_value; }
std::string timezone() {
  // Null until the server has assigned the default.
  const std::string name = text(timezone_value);
  return name.empty() ? "UTC" : name;
}
const core::TimeZone& time_zone_or_default(const std::string& name) {
  return pg::time_zone(name.empty() ? timezone() : name);
}
std::string admin_role() { return text(admin_role_value); }
std::string admin_check() { return text(admin_check_value); }
int health_window_hours() { return health_window_value; }
double health_success_rate_warning() { return success_rate_warning_value; }
double health_success_rate_critical() { return success_rate_critical_value; }
core::Duration health_duration_warning() { return std::chrono::milliseconds(duration_warning_ms); }
int health_stale_warning() { return stale_warning_value; }
int health_stale_critical() { return stale_critical_value; }

}  // namespace metrics_refresh::settings
