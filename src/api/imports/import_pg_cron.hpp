// Access to the jobs of the extension pg_cron in this database.
#pragma once

#include "core/import/pg_cron_schedule.hpp"

#include <optional>
#include <string>
#include <vector>

#include "api/imports/imported_job.hpp"

namespace metrics_refresh::api {

struct PgCron {
  // Owner of the table cron.job. Row-level security does not apply to it.
  Oid owner = InvalidOid;
  core::PgCronVersion version{};
  std::string timezone = "GMT";
  // Jobs run in background workers of this server, regardless of their nodename.
  bool uses_workers = false;
  std::string port;
  std::string database;
};

struct OldJob {
  ImportedJob job;
  std::string nodename;
  std::string nodeport;
};

/// Nothing if pg_cron is not in this database.
std::optional<PgCron> find_pg_cron();

/// All old jobs, by number. Unless it is a dry run, their rows are locked until the transaction
/// ends.
std::vector<OldJob> read_old_jobs(const PgCron& cron, bool dry_run);

/// True if pg_cron is running the job now.
bool is_running(const ImportedJob& job);

/// True if the job runs on another server.
bool is_elsewhere(const OldJob& old, const PgCron& cron);

void pause_in_pg_cron(const PgCron& cron, const std::vector<std::int64_t>& ids);

}  // namespace metrics_refresh::api
