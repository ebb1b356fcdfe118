// Queries of the tables job, job_state and run_request.
//
// One SELECT list (kJobColumns) serves all readers of whole jobs. It joins job_state, because a
// job's schedule depends on its last run. Only the job's own runs write job_state, and users write
// job; therefore neither waits for the other.
#include "store/jobs.hpp"

#include "extension/settings.hpp"
#include "pg/role.hpp"
#include "store/incremental.hpp"

namespace metrics_refresh::store {
namespace {

// State from before the job was rescheduled or resumed does not count. Thus each column of
// job_state is compared with effective_from.
constexpr char kJobColumns[] =
    "SELECT j.job_id, j.job_name, j.view_schema, j.view_name, j.command, j.schedule, j.timezone,"
    " j.strategy, j.owner, j.active,"
    " (extract(epoch FROM j.max_runtime) * 1000000)::int8 AS max_runtime,"
    " (extract(epoch FROM j.lock_timeout) * 1000000)::int8 AS lock_timeout, j.view_oid,"
    " greatest(j.effective_from, s.handled_until) AS handled_until,"
    " coalesce(s.suspended_at > j.effective_from, false) AS suspended,"
    " j.is_default, j.owner_oid, j.priority::int8, j.max_retries::int8,"
    " (extract(epoch FROM j.retry_delay) * 1000000)::int8 AS retry_delay,"
    " (extract(epoch FROM j.retry_max_delay) * 1000000)::int8 AS retry_max_delay,"
    " (extract(epoch FROM j.jitter) * 1000000)::int8 AS jitter, j.starts_at, j.ends_at, j.blackout,"
    " j.settings::text, j.group_schema, j.isolation,"
    " coalesce(j.max_parallel, 0)::int8 AS max_parallel, j.one_time,"
    " CASE WHEN s.last_finished_at >= j.effective_from THEN s.retry_at END AS retry_at,"
    " s.retry_due, s.retry_attempt::int8, j.effective_from,"
    " coalesce(s.last_status = 'success' AND s.retry_at IS NULL, false) AS last_succeeded,"
    " greatest(j.effective_from, s.last_finished_at) AS last_end, j.given_schema, j.given_name"
    " FROM ";

std::string select_jobs(Reads reads = Reads::kTables) {
  return kJobColumns + read_name(reads, "job") + " j LEFT JOIN " + read_name(reads, "job_state") +
         " s USING (job_id)";
}

// Few jobs have settings. A separate query is cheaper than a subquery that every job pays for.
std::vector<std::pair<std::string, std::string>> read_settings(pg::Spi& spi,
                                                               const std::string& jsonb) {
  std::vector<std::pair<std::string, std::string>> settings;
  const pg::Rows rows = spi.query("SELECT key, value FROM jsonb_each_text($1::jsonb)", {jsonb});
  for (std::size_t i = 0; i < rows.size(); ++i)
    settings.emplace_back(rows.get_text(i, "key"), rows.get_text(i, "value"));
  return settings;
}

void read_policies(pg::Spi& spi, const pg::Rows& rows, std::size_t i, JobRecord& job) {
  job.priority = static_cast<int>(rows.get_int64(i, "priority"));
  job.retry_policy.max_retries = static_cast<int>(rows.get_int64(i, "max_retries"));
  job.retry_policy.delay = core::Duration(rows.get_int64(i, "retry_delay"));
  job.retry_policy.max_delay = core::Duration(rows.get_int64(i, "retry_max_delay"));
  job.jitter = core::Duration(rows.get_int64(i, "jitter"));
  job.starts_at = rows.get_instant_or_null(i, "starts_at");
  job.ends_at = rows.get_instant_or_null(i, "ends_at");
  if (!rows.is_null(i, "blackout")) job.blackout = rows.get_text_array(i, "blackout");
  if (!rows.is_null(i, "settings")) job.settings = read_settings(spi, rows.get_text(i, "settings"));
  job.group_schema = rows.get_text_or_empty(i, "group_schema");
  job.repeatable_read =
      from_column<Isolation>(rows.get_text(i, "isolation")) == Isolation::kRepeatableRead;
  job.max_parallel = static_cast<int>(rows.get_int64(i, "max_parallel"));
  job.one_time = rows.get_bool(i, "one_time");
  if (const auto at = rows.get_instant_or_null(i, "retry_at"))
    job.retry = core::Retry{*at, rows.get_instant(i, "retry_due"),
                            static_cast<int>(rows.get_int64(i, "retry_attempt"))};
}

std::vector<JobRecord> read_jobs(pg::Spi& spi, const pg::Rows& rows) {
  std::vector<JobRecord> jobs;
  jobs.reserve(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    JobRecord job;
    job.id = rows.get_int64(i, "job_id");
    job.name = rows.get_text(i, "job_name");
    job.view_schema = rows.get_text_or_empty(i, "view_schema");
    job.view_name = rows.get_text_or_empty(i, "view_name");
    job.command = rows.get_text_or_empty(i, "command");
    job.schedule = rows.get_text_or_null(i, "schedule");
    job.timezone = rows.get_text_or_empty(i, "timezone");
    job.strategy = from_column<Strategy>(rows.get_text(i, "strategy"));
    job.owner = rows.get_text(i, "owner");
    job.active = rows.get_bool(i, "active");
    job.max_runtime = core::Duration(rows.get_int64(i, "max_runtime"));
    job.lock_timeout = core::Duration(rows.get_int64(i, "lock_timeout"));
    job.view_oid = rows.get_oid(i, "view_oid");
    job.handled_until = rows.get_instant(i, "handled_until");
    job.suspended = rows.get_bool(i, "suspended");
    job.is_default = rows.get_bool(i, "is_default");
    job.owner_oid = rows.get_oid(i, "owner_oid");
    read_policies(spi, rows, i, job);
    job.effective_from = rows.get_instant(i, "effective_from");
    job.last_succeeded = rows.get_bool(i, "last_succeeded");
    job.last_end = rows.get_instant(i, "last_end");
    job.given_schema = rows.get_text_or_empty(i, "given_schema");
    job.given_name = rows.get_text_or_empty(i, "given_name");
    jobs.push_back(std::move(job));
  }
  return jobs;
}

std::optional<JobRecord> first_or_nothing(std::vector<JobRecord> jobs) {
  if (jobs.empty()) return std::nullopt;
  return std::move(jobs.front());
}

std::vector<Request> read_requests(const pg::Rows& rows) {
  std::vector<Request> requests;
  for (std::size_t i = 0; i < rows.size(); ++i)
    requests.push_back({rows.get_int64(i, "run_id"), rows.get_int64(i, "job_id"),
                        rows.get_text(i, "requested_by")});
  return requests;
}

}  // namespace

std::vector<JobRecord> load_jobs(pg::Spi& spi, Reads reads) {
  return read_jobs(spi, spi.query(select_jobs(reads) + " ORDER BY j.job_id"));
}

// Not by an array: the server would take that for ten numbers, and make a plan for one each time.
std::optional<JobRecord> find_job(pg::Spi& spi, std::int64_t id) {
  return first_or_nothing(read_jobs(spi, spi.query(select_jobs() + " WHERE j.job_id = $1", {id})));
}

std::optional<JobRecord> job_of_run(pg::Spi& spi, std::int64_t run_id) {
  return first_or_nothing(read_jobs(
      spi,
      spi.query(
          select_jobs() +
              // A run is known by its request or by its row in the log. The run of a member is
              // known by the row of its group.
              " WHERE j.job_id = coalesce((SELECT job_id FROM metrics_refresh_internal.run_request"
              " WHERE run_id = $1), (SELECT job_id FROM metrics_refresh_internal.run_log WHERE "
              "run_id = $1),"
              " (SELECT g.job_id FROM metrics_refresh_internal.run_log m JOIN "
              "metrics_refresh_internal.run_log g"
              "  ON g.run_id = m.group_run_id WHERE m.run_id = $1))",
          {run_id})));
}

std::optional<std::int64_t> insert_job(pg::Spi& spi, const Columns& columns) {
  std::string names;
  std::string values;
  std::vector<pg::Param> params;
  for (const auto& [name, param] : columns) {
    params.push_back(param);
    const char* separator = params.size() > 1 ? ", " : "";
    names += separator + std::string(name);
    values += separator + std::string("$") + std::to_string(params.size());
  }
  const pg::Rows rows =
      // ON CONFLICT repeats the predicate of the unique index job_owner_name. Otherwise the server
      // could not infer that index.
      spi.query("INSERT INTO metrics_refresh_internal.job (" + names + ") VALUES (" + values +
                    ") ON CONFLICT (owner_oid, job_name) WHERE owner_oid <> '0'::oid"
                    " AND NOT one_time"
                    " DO NOTHING RETURNING job_id",
                params);
  if (rows.empty()) return std::nullopt;
  return rows.get_int64(0, "job_id");
}

void update_job(pg::Spi& spi, std::int64_t id, const Columns& columns, bool restart) {
  std::string assignments;
  std::vector<pg::Param> params{id};
  for (const auto& [name, param] : columns) {
    params.push_back(param);
    core::append_item(assignments, std::string(name) + " = $" + std::to_string(params.size()));
  }
  // The time must be later than a suspension even if the clock was set back since then.
  if (restart)
    core::append_item(assignments,
                      "effective_from = greatest(clock_timestamp(), (SELECT s.suspended_at"
                      " FROM metrics_refresh_internal.job_state s WHERE s.job_id = $1))");
  if (assignments.empty()) return;
  spi.query("UPDATE metrics_refresh_internal.job SET " + assignments + " WHERE job_id = $1",
            params);
}

void delete_job(pg::Spi& spi, const JobRecord& job) {
  spi.query("DELETE FROM metrics_refresh_internal.job WHERE job_id = $1", {job.id});
  // A default job must not come back when CREATE EXTENSION runs during a restore.
  if (job.is_default)
    spi.query(
        "INSERT INTO metrics_refresh_internal.removed_default_job VALUES ($1) ON CONFLICT DO "
        "NOTHING",
        {job.name});
}

void start_due_times_at_commit(pg::Spi& spi, const std::string& name, Oid owner) {
  spi.query(
      "UPDATE metrics_refresh_internal.job SET counts_from_commit = true"
      " WHERE job_name = $1 AND owner_oid = $2",
      {name, pg::Param::oid(owner)});
}

bool has_jobs_waiting_for_commit(pg::Spi& spi) {
  return spi
      .query(
          "SELECT EXISTS (SELECT FROM metrics_refresh_internal.job WHERE counts_from_commit)"
          " AS are_waiting")
      .get_bool(0, "are_waiting");
}

// pg_cron learns of the import within a second of the commit. Due times of the next two seconds
// still belong to pg_cron (api/imports/quiet_moment.cpp).
void start_due_times_now(pg::Spi& spi) {
  spi.query(
      "UPDATE metrics_refresh_internal.job SET counts_from_commit = false,"
      " effective_from = clock_timestamp() + interval '2 seconds'"
      " WHERE counts_from_commit");
}

// Example: a job for s.a follows a rename to s.b. The given name is s.a from then on, until the
// view is called s.a again.
std::pair<std::string, std::string> given_name_after(const BoundView& before,
                                                     const std::string& schema,
                                                     const std::string& name) {
  std::pair<std::string, std::string> given(before.given_schema, before.given_name);
  if (before.view_schema == schema && before.view_name == name) return given;
  if (!before.was_renamed()) given = {before.view_schema, before.view_name};
  if (given == std::make_pair(schema, name)) return {};
  return given;
}

void bind_job(pg::Spi& spi, const JobRecord& job, Oid view, const std::string& schema,
              const std::string& name, const std::string& owner) {
  if (view == job.view_oid && schema == job.view_schema && name == job.view_name &&
      owner == job.owner)
    return;
  const auto [given_schema, given_name] = given_name_after(job, schema, name);
  // Only if the row is as it was read: by now the job may have another owner or refer to another
  // view.
  const pg::Rows bound = spi.query(
      "UPDATE metrics_refresh_internal.job SET view_schema = nullif($2, ''), view_name = "
      "nullif($3, ''),"
      " view_oid = $4, owner = $5, given_schema = nullif($9, ''), given_name = nullif($10, '')"
      " WHERE job_id = (SELECT job_id FROM metrics_refresh_internal.job"
      " WHERE job_id = $1 AND owner_oid = $6 AND view_schema IS NOT DISTINCT FROM nullif($7, '')"
      " AND view_name IS NOT DISTINCT FROM nullif($8, '') FOR NO KEY UPDATE SKIP LOCKED)"
      " RETURNING view_oid, owner_oid",
      {job.id, schema, name, pg::Param::oid(view), owner, pg::Param::oid(job.owner_oid),
       job.view_schema, job.view_name, given_schema, given_name});
  // The trigger before_write sets the oids by name. By now another view or role may have that name,
  // and then the oids are written again.
  const bool is_bound = !bound.empty();
  const bool is_another = is_bound && (bound.get_oid(0, "view_oid") != view ||
                                       bound.get_oid(0, "owner_oid") != job.owner_oid);
  // The previous view may be set up for the strategy incremental, and no job may want that any
  // more.
  if (is_bound && OidIsValid(job.view_oid) && view != job.view_oid)
    queue_sweep_of_view(spi, job.view_oid);
  if (is_another)
    spi.query(
        "UPDATE metrics_refresh_internal.job SET view_oid = $2, owner_oid = $3 WHERE job_id = $1",
        {job.id, pg::Param::oid(view), pg::Param::oid(job.owner_oid)});
}

// FOR KEY SHARE: the job cannot be deleted before this transaction ends.
std::optional<std::int64_t> insert_request(pg::Spi& spi, std::int64_t job_id,
                                           const std::string& requested_by) {
  const pg::Rows rows = spi.query(
      "INSERT INTO metrics_refresh_internal.run_request (job_id, requested_by, requested_by_oid)"
      " SELECT job_id, $2, $3 FROM metrics_refresh_internal.job WHERE job_id = $1 FOR KEY SHARE"
      " RETURNING run_id",
      {job_id, requested_by, pg::Param::oid(pg::role_oid(requested_by))});
  if (rows.empty()) return std::nullopt;
  return rows.get_int64(0, "run_id");
}

std::vector<Request> load_requests(pg::Spi& spi) {
  return read_requests(
      spi.query("SELECT run_id, job_id, requested_by FROM metrics_refresh_internal.run_request"
                " ORDER BY run_id"));
}

// SKIP LOCKED: a worker must not wait for a session that is about to withdraw the request.
std::optional<Request> take_request(pg::Spi& spi, std::int64_t run_id) {
  const auto requests = read_requests(
      spi.query("DELETE FROM metrics_refresh_internal.run_request WHERE run_id ="
                " (SELECT run_id FROM metrics_refresh_internal.run_request WHERE run_id = $1"
                " FOR UPDATE SKIP LOCKED) RETURNING run_id, job_id, requested_by",
                {run_id}));
  if (requests.empty()) return std::nullopt;
  return requests.front();
}

std::optional<Request> find_request(pg::Spi& spi, std::int64_t run_id) {
  const auto requests = read_requests(
      spi.query("SELECT run_id, job_id, requested_by FROM metrics_refresh_internal.run_request"
                " WHERE run_id = $1",
                {run_id}));
  if (requests.empty()) return std::nullopt;
  return requests.front();
}

// xmin is the transaction that inserted the row. A wait for that run would never end, because no
// other session sees the request before the commit.
bool is_requested_here(pg::Spi& spi, std::int64_t run_id) {
  const pg::Rows rows = spi.query(
      "SELECT xmin FROM metrics_refresh_internal.run_request WHERE run_id = $1", {run_id});
  return !rows.empty() && TransactionIdIsCurrentTransactionId(rows.get_oid(0, "xmin"));
}

void await_request(pg::Spi& spi, std::int64_t run_id) {
  spi.query("SELECT FROM metrics_refresh_internal.run_request WHERE run_id = $1 FOR UPDATE",
            {run_id});
}

}  // namespace metrics_refresh::store
