// complete_jobs(), fail_job(), fail_jobs(), release_jobs() and heartbeat_jobs(): the calls of a
// worker outside the server for the jobs that it has claimed. The token proves the claim.
//
// A claim is in use from the call to the end of its transaction, so that neither its lease nor
// another call ends the job meanwhile. A rollback gives it back to its worker.
#include <algorithm>
#include <cstring>

#include "api/arguments.hpp"
#include "api/option_table.hpp"
#include "api/queue/job_access.hpp"
#include "api/queue/job_changes.hpp"
#include "api/queue/outside_token.hpp"
#include "api/queue/payload.hpp"
#include "extension/own_schema.hpp"
#include "pg/array.hpp"
#include "pg/role.hpp"
#include "shmem/queue/place.hpp"
#include "store/queue/claims.hpp"
#include "store/queue/ended.hpp"
#include "store/queue/hot.hpp"
#include "store/queue/lost_attempt.hpp"
#include "store/queue/news.hpp"
#include "store/queue/periods.hpp"
#include "store/queue/steady_look.hpp"

namespace metrics_refresh::api {
namespace {

using shmem::queue::OutsideClaim;
using shmem::queue::Token;
using shmem::queue::UseResult;
using store::queue::Job;
using store::queue::JobNumber;
using store::queue::OutsideUse;

struct CalledJob {
  JobNumber id = 0;
  Token token;
  bool is_done = false;  // the token was valid
  OutsideClaim claim;    // if the job is in use by this transaction
  Job job;               // its row
  Datum value = 0;       // of the third array
  bool has_value = false;
};

[[noreturn]] void refuse_lengths(const char* name, int length, int ids) {
  throw pg::SqlError(ERRCODE_ARRAY_SUBSCRIPT_ERROR,
                     std::string("ids and ") + name + " must have the same length", "",
                     std::string(name) + " has " + std::to_string(length) + " elements, ids has " +
                         std::to_string(ids) + ".");
}

pg::Elements elements(const Arguments& arguments, int n, Oid type, const char* name, int ids) {
  if (arguments.is_null(n)) Arguments::refuse_null(name);
  const pg::Elements found = pg::elements_of(arguments.datum(n), type, name);
  if (found.count != ids) refuse_lengths(name, found.count, ids);
  return found;
}

std::vector<CalledJob> called_jobs(const Arguments& arguments) {
  if (arguments.is_null(0)) Arguments::refuse_null("ids");
  const std::vector<std::int64_t> ids = pg::numbers_of(arguments.datum(0), "ids");
  const pg::Elements tokens =
      elements(arguments, 1, TEXTOID, "tokens", static_cast<int>(ids.size()));
  std::vector<CalledJob> jobs(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (tokens.nulls[i])
      throw pg::SqlError(ERRCODE_NULL_VALUE_NOT_ALLOWED, "tokens must not contain NULL");
    const Datum token = tokens.values[i];
    jobs[i].id = ids[i];
    jobs[i].token = token_of(pg::call([token] { return DatumGetTextPP(token); }));
  }
  return jobs;
}

void add_values(const Arguments& arguments, int n, Oid type, const char* name,
                std::vector<CalledJob>& jobs) {
  const pg::Elements values = elements(arguments, n, type, name, static_cast<int>(jobs.size()));
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    jobs[i].has_value = !values.nulls[i];
    jobs[i].value = values.values[i];
  }
}

CalledJob called_job(const Arguments& arguments) {
  CalledJob job;
  job.id = Arguments::required(arguments.get_int64(0), "id");
  if (arguments.is_null(1)) Arguments::refuse_null("token");
  const Datum token = arguments.datum(1);
  job.token = token_of(pg::call([token] { return DatumGetTextPP(token); }));
  return job;
}

// Takes the claims that the tokens prove. A claim that another call is ending counts as lost.
void use_claims(std::vector<CalledJob>& jobs, OutsideUse use) {
  store::queue::reserve_outside_uses(static_cast<std::uint32_t>(jobs.size()));
  for (CalledJob& job : jobs) {
    if (store::queue::uses_outside(job.id)) continue;
    const bool is_own = store::queue::claims_outside(job.id);
    job.is_done =
        shmem::queue::use_outside(job.id, &job.token, is_own, &job.claim) == UseResult::kOk;
    if (job.is_done) store::queue::note_outside_use(job.id, use);
  }
}

// Reads the rows of the jobs in use. A job without a row has ended in another way.
void read_rows(std::vector<CalledJob>& called) {
  std::vector<CalledJob*> used;
  for (CalledJob& job : called)
    if (job.is_done) used.push_back(&job);
  // Rows of one segment that follow each other are read and ended together.
  std::stable_sort(used.begin(), used.end(), [](const CalledJob* a, const CalledJob* b) {
    return a->claim.segment < b->claim.segment;
  });
  std::vector<store::queue::Place> places;
  for (const CalledJob* job : used) places.push_back({job->id, job->claim.tid, job->claim.segment});
  std::vector<Job> rows;
  store::queue::look_steadily([&](Snapshot snapshot) {
    rows.resize(places.size());
    rows.resize(store::queue::read_jobs(places.data(), places.size(), snapshot, rows.data()));
  });
  std::size_t next = 0;
  for (CalledJob* job : used) {
    job->is_done = next < rows.size() && rows[next].id == job->id;
    if (job->is_done) job->job = rows[next++];
  }
}

std::int64_t failed(const Job& job) { return job.has(store::queue::kHasFailed) ? 1 : 0; }

Datum return_results(FunctionCallInfo call, const std::vector<CalledJob>& jobs) {
  SetResult result(call);
  for (const CalledJob& job : jobs) result.add({job.id, job.is_done ? "done" : "stale"});
  return Datum{0};
}

const text* note_of(const CalledJob& job) {
  if (!job.has_value) return nullptr;
  const Jsonb* const value = checked_payload(job.value, "result");
  return pg::call([value] {
    Jsonb* const json = const_cast<Jsonb*>(value);
    return cstring_to_text(JsonbToCString(nullptr, &json->root, static_cast<int>(VARSIZE(json))));
  });
}

void complete(std::vector<CalledJob>& jobs) {
  const TimestampTz now = GetCurrentTimestamp();
  std::vector<store::queue::Completed> completed;
  for (const CalledJob& job : jobs) {
    if (!job.is_done) continue;
    store::queue::Completed row;
    row.job = &job.job;
    row.started_at = job.claim.started_at;
    row.finished_at = now;
    if (job.claim.worker[0] != '\0') row.worker = store::queue::make_text(job.claim.worker);
    row.note = note_of(job);
    completed.push_back(row);
    store::queue::note_marks(job.job.segment, 1);
    store::queue::note_counts(job.job.type, {-1, -failed(job.job), 0, 0}, {1, 0, 0, 0});
    store::queue::note_ended(job.id, job.job.batch.value_or(0));
  }
  if (completed.empty()) return;
  std::stable_sort(completed.begin(), completed.end(),
                   [](const auto& a, const auto& b) { return a.job->segment < b.job->segment; });
  store::queue::finish_many(completed.data(), completed.size(), store::queue::current_period());
}

Datum complete_jobs(FunctionCallInfo call) {
  begin_change("complete_jobs()", "ended background jobs");
  const Arguments arguments(call);
  std::vector<CalledJob> jobs = called_jobs(arguments);
  if (!arguments.is_null(2)) add_values(arguments, 2, JSONBOID, "results", jobs);
  use_claims(jobs, OutsideUse::kEnd);
  read_rows(jobs);
  complete(jobs);
  return return_results(call, jobs);
}

struct FailureOptions {
  bool is_permanent = false;
  std::optional<TimestampTz> next_at;
};

std::string message_of(const CalledJob& job) {
  if (!job.has_value) return "the worker has given no message";
  const Datum message = job.value;
  const char* const bytes = pg::call([message] { return TextDatumGetCString(message); });
  constexpr int kLongest = 8000;
  return {bytes, static_cast<std::size_t>(pg::call([bytes] {
            return pg_mbcliplen(bytes, static_cast<int>(strlen(bytes)), kLongest);
          }))};
}

void fail(const CalledJob& called, const FailureOptions& options) {
  const Job& job = called.job;
  store::queue::AttemptEnd end;
  extension::as_extension([&](pg::Spi& spi) {
    const auto type = store::queue::find_job_type(spi, job.type);
    store::queue::LostAttempt attempt;
    attempt.job = job;
    attempt.type = type ? &*type : nullptr;
    attempt.started_at = called.claim.started_at;
    attempt.error = store::run_error(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION, message_of(called));
    attempt.status = store::RunStatus::kError;
    attempt.is_last = options.is_permanent;
    attempt.next_at = options.next_at;
    end = store::queue::end_lost_attempt(spi, attempt);
  });
  store::queue::note_marks(job.segment, 1);
  if (end.is_dead) {
    store::queue::note_counts(job.type, {-1, -failed(job), 1, 0}, {0, 1, 1, 0});
    store::queue::note_ended(job.id, job.batch.value_or(0));
  } else {
    store::queue::note_counts(job.type, {0, 1 - failed(job), 0, 0}, {0, 1, 0, 0});
    store::queue::note_later(end.next_at);
  }
}

Datum fail_all(FunctionCallInfo call, std::vector<CalledJob>& jobs, const FailureOptions& options) {
  use_claims(jobs, OutsideUse::kEnd);
  read_rows(jobs);
  for (const CalledJob& job : jobs)
    if (job.is_done) fail(job, options);
  return return_results(call, jobs);
}

Datum fail_job(FunctionCallInfo call) {
  begin_change("fail_job()", "ended background jobs");
  const Arguments arguments(call);
  std::vector<CalledJob> jobs = {called_job(arguments)};
  jobs[0].has_value = !arguments.is_null(2);
  jobs[0].value = arguments.datum(2);
  FailureOptions options;
  options.is_permanent = Arguments::required(arguments.get_bool(3), "permanent");
  if (!arguments.is_null(4)) {
    if (options.is_permanent)
      refuse_option("permanent and retry_in exclude each other",
                    "A job that has failed permanently is not tried again.");
    options.next_at = time_after(GetCurrentTimestamp(), arguments.datum(4), "retry_in", false);
  }
  return fail_all(call, jobs, options);
}

Datum fail_jobs(FunctionCallInfo call) {
  begin_change("fail_jobs()", "ended background jobs");
  const Arguments arguments(call);
  std::vector<CalledJob> jobs = called_jobs(arguments);
  if (!arguments.is_null(2)) add_values(arguments, 2, TEXTOID, "messages", jobs);
  return fail_all(call, jobs, {});
}

// After a crash of the server, the jobs must not wait for leases that have ended. The clock may
// have been set back, but the row of the release has to be the later one.
void write_releases(const std::vector<CalledJob>& jobs) {
  const TimestampTz now = GetCurrentTimestamp();
  std::vector<store::queue::ClaimRow> rows;
  for (const CalledJob& job : jobs) {
    if (!job.is_done) continue;
    store::queue::ClaimRow row;
    row.id = job.id;
    row.claimed_at = row.lease_until = std::max(now, job.claim.started_at + 1);
    std::memcpy(row.token.data, job.claim.token.bytes, sizeof row.token.data);
    row.claimed_by = job.claim.claimed_by;
    row.version = job.job.version;
    row.attempt = job.claim.attempt;
    row.segment = job.job.segment;
    rows.push_back(row);
  }
  store::queue::append_claims(rows.data(), rows.size());
}

Datum release_jobs(FunctionCallInfo call) {
  begin_change("release_jobs()", "released background jobs");
  std::vector<CalledJob> jobs = called_jobs(Arguments(call));
  use_claims(jobs, OutsideUse::kRelease);
  read_rows(jobs);
  write_releases(jobs);
  return return_results(call, jobs);
}

// Takes effect at once, also if the transaction is rolled back. A worker that has lost the rights
// which claim_jobs() asks for may end what it has claimed, but not keep it.
void extend_leases(std::vector<CalledJob>& jobs, TimestampTz until) {
  const Oid caller = GetUserId();
  extension::as_extension([&](pg::Spi& spi) {
    JobRights rights(spi, caller, false);
    for (CalledJob& job : jobs) {
      const auto type = shmem::queue::leased_type(job.id, job.token);
      job.is_done = type && rights.may_manage(*type) &&
                    shmem::queue::extend_lease(job.id, job.token, until) == UseResult::kOk;
    }
  });
}

Datum heartbeat_jobs(FunctionCallInfo call) {
  begin_change("heartbeat_jobs()", "extended the leases of background jobs");
  const Arguments arguments(call);
  std::vector<CalledJob> jobs = called_jobs(arguments);
  if (arguments.is_null(2)) Arguments::refuse_null("lease");
  const TimestampTz until = lease_end(GetCurrentTimestamp(), arguments.datum(2));
  extend_leases(jobs, until);
  return return_results(call, jobs);
}

}  // namespace

MR_SQL_FUNCTION(mr_complete_jobs, complete_jobs);
MR_SQL_FUNCTION(mr_fail_job, fail_job);
MR_SQL_FUNCTION(mr_fail_jobs, fail_jobs);
MR_SQL_FUNCTION(mr_release_jobs, release_jobs);
MR_SQL_FUNCTION(mr_heartbeat_jobs, heartbeat_jobs);

}  // namespace metrics_refresh::api
