// The extension's settings (metrics_refresh.*), as typed values. docs/operations.md lists them.
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
int max_tracked_tables();  ///< whose changes are counted, in the cluster
bool log_skips();
int database_workers();  ///< of one database at once; 0 = no limit of its own

// Shares: what one role may have. Superusers have no limit.
int max_jobs_per_role();
std::int64_t max_job_bytes_per_role();
int max_requests_per_role();        ///< runs asked for that have not begun
int max_group_views_per_role();     ///< in runs of its groups under way
int max_tracked_tables_per_role();  ///< of those that max_tracked_tables() counts
int role_workers();                 ///< runs under way at once, in the cluster; at least 1
core::Duration yield_after();       ///< of a role without a run, behind one with several; 0 = never

core::Duration worker_idle_timeout();
core::Duration scheduler_idle_timeout();
core::Duration log_retention();
core::Duration cancel_grace();     ///< after SIGINT, before SIGTERM
core::Duration max_job_runtime();  ///< of jobs whose owner is no superuser
int audit_every();                 ///< refreshes by keys; 0 = never
int suspend_after();               ///< consecutive permanent failures; 0 = never

std::string timezone();  ///< of jobs that name none; never empty
/// The zone of a job: `name`, or timezone() where it is empty. Throws as pg::time_zone().
const core::TimeZone& time_zone_or_default(const std::string& name);
std::string admin_role();   ///< empty where none is set
std::string admin_check();  ///< schema-qualified function name; empty where none is set

// Limits of health_check().
int health_window_hours();
double health_success_rate_warning();   ///< percent
double health_success_rate_critical();  ///< percent
core::Duration health_duration_warning();
int health_stale_warning();   ///< due times without a success
int health_stale_critical();  ///< due times without a success

}  // namespace metrics_refresh::settings
