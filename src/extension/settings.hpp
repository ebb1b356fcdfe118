// The settings of the extension (metrics_refresh.*) as typed values. docs/operations.md lists them.
#pragma once

#include <cstdint>
#include <string>

#include "core/instant.hpp"
#include "core/schedule/time_zone.hpp"

namespace metrics_refresh::settings {

/// Defines every setting. REQUIRES: called once, from _PG_init.
void define();

bool enabled();
int max_workers();
int max_databases();
int max_tracked_tables();  ///< tables of the cluster whose changes are counted
bool log_skips();
int database_workers();  ///< runs of one database at a time; 0 = no separate limit

// Shares of one role. Superusers have no limits.
int max_jobs_per_role();
std::int64_t max_job_bytes_per_role();
int max_requests_per_role();        ///< requested runs that have not begun
int max_group_views_per_role();     ///< views in open group runs of its groups
int max_tracked_tables_per_role();  ///< part of max_tracked_tables()
int role_workers();                 ///< runs at a time in the cluster; at least 1
// Time that a role without a run waits behind a role with several runs; 0 = never yield.
core::Duration yield_after();

// The queue of background jobs.
enum class QueueFlush : std::uint8_t {
  kShared,  ///< one flush of WAL serves many jobs
  kPerJob   ///< each job commits as its owner's settings say
};
int max_queue_databases();   ///< databases that may have a queue
std::size_t queue_memory();  ///< bytes of shared memory of a queue
int queue_workers();         ///< part of max_workers() for jobs of the queue; may be 0
QueueFlush queue_flush();
core::Duration queue_history();     ///< how long completed jobs are kept at least
std::size_t queue_max_payload();    ///< bytes of a payload
core::Duration queue_group_time();  ///< after which a group of jobs commits
int queue_crash_limit();            ///< crashes of the server in which a job ran alone
bool queue_notify();
std::int64_t max_queued_jobs_per_role();  ///< open jobs of the types of one role

core::Duration worker_idle_timeout();
core::Duration scheduler_idle_timeout();
core::Duration log_retention();
core::Duration cancel_grace();     ///< time between SIGINT and SIGTERM
core::Duration max_job_runtime();  ///< for jobs whose owner is no superuser
int audit_every();                 ///< incremental refreshes between audits; 0 = never
int suspend_after();               ///< consecutive permanent failures; 0 = never

std::string timezone();  ///< for jobs without a time zone; never empty
/// The zone of a job: `name`, or timezone() if that is empty. Throws the errors of pg::time_zone().
const core::TimeZone& time_zone_or_default(const std::string& name);
std::string admin_role();   ///< empty if not set
std::string admin_check();  ///< schema-qualified function name; empty if not set

// Limits of health_check().
int health_window_hours();
double health_success_rate_warning();   ///< percent
double health_success_rate_critical();  ///< percent
core::Duration health_duration_warning();
int health_stale_warning();   ///< due times without a success
int health_stale_critical();  ///< due times without a success

}  // namespace metrics_refresh::settings
