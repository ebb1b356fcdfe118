// The jobs that the extension pg_cron has in this database.
#pragma once

#include "core/import/pg_cron_schedule.hpp"

#include <optional>
#include <string>
#include <vector>

#include "api/imports/imported_job.hpp"

namespace metrics_refresh::api {

struct PgCron {
  Oid owner = InvalidOid;  // of the table cron.job, whom its row-level security does not concern
  core::PgCronVersion version{};
  std::string timezone = "GMT";
  bool uses_workers = false;  // its jobs run in this server whatever their nodename says
  std::string port;
  std::string database;
};

struct OldJob {
  ImportedJob job;
  std::string nodename;
  std::string nodeport;
};

/// Nothing where pg_cron is not in this database.
std::optional<PgCron> find_pg_cron();

/// All of them, by number. Where they are taken over, nobody changes them until the transaction
/// ends.
std::vector<OldJob> read_old_jobs(const PgCron& cron, bool dry_run);

/// Whether pg_cron is at a run of the job.
bool is_running(const ImportedJob& job);

/// Whether the job is one of another server.
bool is_elsewhere(const OldJob& old, const PgCron& cron);

void pause_in_pg_cron(const PgCron& cron, const std::vector<std::int64_t>& ids);

}  // namespace metrics_refresh::api
