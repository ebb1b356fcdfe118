// claim_jobs(): gives jobs to a worker outside the server.
//
// A job is claimed in shared memory first, and its row is read with a snapshot that is taken after
// that. The claim is also written to queue_claim, so that it outlives a crash of the server. The
// lease begins with the commit; a rollback makes the jobs ready again.
#include <algorithm>
#include <map>

#include "api/arguments.hpp"
#include "api/option_table.hpp"
#include "api/queue/job_changes.hpp"
#include "api/queue/known_type.hpp"
#include "api/queue/outside_token.hpp"
#include "api/queue/payload.hpp"
#include "pg/array.hpp"
#include "pg/role.hpp"
#include "pg/time.hpp"
#include "store/queue/claims.hpp"
#include "store/queue/hot.hpp"
#include "store/queue/news.hpp"
#include "store/queue/span.hpp"
#include "store/queue/steady_look.hpp"

namespace metrics_refresh::api {
namespace {

using shmem::queue::OutsideClaim;
using shmem::queue::TypeId;
using store::queue::Job;
using store::queue::JobNumber;

constexpr std::uint32_t kMostClaims = 1000;
constexpr std::int64_t kLongestWait = 60 * USECS_PER_SEC;
// A rate limit opens without a wake-up of this session.
constexpr std::int64_t kLookMilliseconds = 1000;

struct Request {
  std::map<TypeId, std::string> types;  // with their names
  std::uint32_t count = 1;
  std::int64_t lease = 0;  // microseconds
  std::string worker;
  std::int64_t wait = 0;  // microseconds; 0: does not wait
};

struct Claimed {
  OutsideClaim claim;
  Job job;
  const std::string* type = nullptr;
};

std::int64_t read_wait(Datum wait) {
  const TimestampTz now = GetCurrentTimestamp();
  const std::int64_t length = time_after(now, wait, "wait", true) - now;
  if (length > kLongestWait)
    refuse_option("wait must be at most 60 seconds",
                  "Call claim_jobs() again if it returns no job.");
  return length;
}

void add_type(Datum name, Request& request) {
  const auto* const text_name = pg::call([name] { return DatumGetTextPP(name); });
  const KnownType& type = type_to_add_to(text_name);
  std::string copy(VARDATA_ANY(text_name), VARSIZE_ANY_EXHDR(text_name));
  if (type.mode != store::queue::JobMode::kExternal)
    throw pg::SqlError(ERRCODE_WRONG_OBJECT_TYPE, "jobs of type \"" + copy + "\" cannot be claimed",
                       "Workers of the server perform them. claim_jobs() is for types with the "
                       "mode external.");
  request.types.emplace(type.id, std::move(copy));
}

Request read_request(const Arguments& arguments) {
  Request request;
  if (arguments.is_null(0)) Arguments::refuse_null("types");
  const pg::Elements types = pg::elements_of(arguments.datum(0), TEXTOID, "types");
  if (types.count == 0)
    refuse_option("types must not be empty",
                  "Name types with the mode external, as in '{webhook}'.");
  for (int i = 0; i < types.count; ++i) {
    if (types.nulls[i])
      throw pg::SqlError(ERRCODE_NULL_VALUE_NOT_ALLOWED, "types must not contain NULL");
    add_type(types.values[i], request);
  }
  const int count = Arguments::required(arguments.get_int32(1), "n");
  if (count < 1 || count > static_cast<int>(kMostClaims))
    refuse_option("n must be between 1 and " + std::to_string(kMostClaims),
                  "Call claim_jobs() again for more jobs.");
  request.count = static_cast<std::uint32_t>(count);
  if (arguments.is_null(2)) Arguments::refuse_null("lease");
  request.lease = lease_end(0, arguments.datum(2));
  request.worker = arguments.get_text(3).value_or("");
  if (request.worker.size() >= shmem::queue::kWorkerNameBytes)
    refuse_option(
        "worker must have at most " + std::to_string(shmem::queue::kWorkerNameBytes - 1) + " bytes",
        "The view background_jobs shows it. A short name such as 'host 3' is enough.");
  if (!arguments.is_null(4)) request.wait = read_wait(arguments.datum(4));
  return request;
}

// Reads a span that is not exact, as each process that claims jobs must.
void read_span(const shmem::queue::Reading& span) {
  store::queue::note_outside_reading(span);
  shmem::queue::Found found[store::queue::kMostInSpan];
  store::queue::SpanRead read;
  store::queue::look_steadily(
      [&](Snapshot snapshot) { read = store::queue::read_span(span, snapshot, found); });
  shmem::queue::put_back_outside(found, read.count, read.until);
}

[[noreturn]] void refuse_full_claims(Oid beyond_share) {
  if (!OidIsValid(beyond_share))
    throw pg::SqlError(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
                       "too many background jobs are claimed by external workers",
                       "Complete or release some of them, or raise metrics_refresh.queue_memory.");
  throw pg::SqlError(
      ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
      "external workers would claim more jobs of types of role \"" + pg::role_name(beyond_share) +
          "\" than they may",
      "Complete or release some of them, or ask an administrator to raise "
      "metrics_refresh.queue_memory.",
      "Of the claims for which metrics_refresh.queue_memory has room, the types of a role may have "
      "as many as are left for others.");
}

// Claims up to `most` jobs, which are noted before anything can fail. For lack of room, it returns
// 0 if the call `has_some` already, which would be lost by an error.
std::uint32_t claim_numbers(std::vector<TypeId>& types, std::uint32_t most, bool has_some,
                            OutsideClaim* claims) {
  std::uint32_t count = 0;
  while (count < most) {
    store::queue::reserve_outside_uses(most - count);
    const shmem::queue::OutsideNext next = shmem::queue::claim_outside(
        types.data(), static_cast<std::uint32_t>(types.size()), most - count, claims + count);
    for (std::uint32_t i = 0; i < next.count; ++i)
      store::queue::note_outside_use(claims[count++].job, store::queue::OutsideUse::kClaim);
    if (next.step == shmem::queue::NextStep::kNothing) {
      if (next.is_full && count == 0 && !has_some) refuse_full_claims(next.beyond_share);
      break;
    }
    if (next.step == shmem::queue::NextStep::kRead) read_span(next.reading);
    pg::call([] { CHECK_FOR_INTERRUPTS(); });
  }
  return count;
}

// Reads the rows. Numbers without one are no jobs any more.
void read_rows(const Request& request, OutsideClaim* claims, std::uint32_t count,
               std::vector<Claimed>& claimed) {
  // Rows of one segment that follow each other are read together.
  std::stable_sort(claims, claims + count, [](const OutsideClaim& a, const OutsideClaim& b) {
    return a.segment < b.segment;
  });
  std::vector<store::queue::Place> places;
  for (std::uint32_t i = 0; i < count; ++i)
    places.push_back({claims[i].job, claims[i].tid, claims[i].segment});
  std::vector<Job> jobs(count);
  store::queue::look_steadily([&](Snapshot snapshot) {
    jobs.resize(count);
    jobs.resize(store::queue::read_jobs(places.data(), count, snapshot, jobs.data()));
  });
  std::vector<JobNumber> missing;
  std::size_t next = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    if (next < jobs.size() && jobs[next].id == claims[i].job)
      claimed.push_back({claims[i], jobs[next++], &request.types.at(claims[i].type)});
    else
      missing.push_back(claims[i].job);
  }
  if (!missing.empty())
    store::queue::drop_outside_claims(missing.data(), static_cast<std::uint32_t>(missing.size()));
}

std::vector<Claimed> claim(const Request& request) {
  std::vector<Claimed> claimed;
  std::vector<OutsideClaim> claims(request.count);
  std::vector<TypeId> types;
  for (const auto& [id, name] : request.types) types.push_back(id);
  while (claimed.size() < request.count) {
    const auto left = static_cast<std::uint32_t>(request.count - claimed.size());
    const std::uint32_t count = claim_numbers(types, left, !claimed.empty(), claims.data());
    if (count == 0) break;
    read_rows(request, claims.data(), count, claimed);
  }
  return claimed;
}

// Writes the leases, to shared memory and to the table.
void write_leases(const Request& request, std::vector<Claimed>& claimed) {
  const std::vector<shmem::queue::Token> tokens = new_tokens(claimed.size());
  const text* const worker =
      request.worker.empty() ? nullptr : store::queue::make_text(request.worker);
  const TimestampTz now = GetCurrentTimestamp();
  std::vector<store::queue::ClaimRow> rows;
  for (std::size_t i = 0; i < claimed.size(); ++i) {
    OutsideClaim& claim = claimed[i].claim;
    claim.attempt = static_cast<std::int16_t>(claimed[i].job.attempts + 1);
    claim.token = tokens[i];
    claim.started_at = now;
    claim.lease_until = now + request.lease;
    claim.claimed_by = GetUserId();
    request.worker.copy(claim.worker, sizeof claim.worker - 1);
    shmem::queue::lease(claim);
    store::queue::ClaimRow row;
    row.id = claim.job;
    row.claimed_at = now;
    row.lease_until = claim.lease_until;
    static_assert(sizeof row.token.data == shmem::queue::kTokenBytes);
    memcpy(row.token.data, claim.token.bytes, shmem::queue::kTokenBytes);
    row.claimed_by = claim.claimed_by;
    row.version = claimed[i].job.version;
    row.attempt = claim.attempt;
    row.segment = claim.segment;
    row.worker = worker;
    rows.push_back(row);
  }
  store::queue::append_claims(rows.data(), rows.size());
}

void return_rows(FunctionCallInfo call, const std::vector<Claimed>& claimed) {
  using pg::Param;
  SetResult result(call);
  for (const Claimed& row : claimed)
    result.add({row.job.id, *row.type, Param(JSONBOID, JsonbPGetDatum(row.job.payload)),
                Param(INT4OID, Int32GetDatum(row.claim.attempt)), text_of(row.claim.token),
                Param(TIMESTAMPTZOID, TimestampTzGetDatum(row.claim.lease_until))});
}

// Each look comes after this session has become a sleeper, so that no job comes between both.
std::vector<Claimed> claim_or_wait(const Request& request) {
  const std::int64_t end = pg::steady_now() + request.wait;
  for (;;) {
    if (request.wait > 0) pg::call([] { shmem::queue::prepare_for_outside_work(); });
    std::vector<Claimed> claimed = claim(request);
    const std::int64_t left = (end - pg::steady_now() + 999) / 1000;
    if (!claimed.empty() || request.wait == 0 || left <= 0) return claimed;
    const long timeout = static_cast<long>(std::min(left, kLookMilliseconds));
    pg::call([timeout] { shmem::queue::sleep_until_outside_work(timeout); });
  }
}

Datum claim_jobs(FunctionCallInfo call) {
  begin_change("claim_jobs()", "claimed background jobs");
  const Request request = read_request(Arguments(call));
  std::vector<Claimed> claimed = claim_or_wait(request);
  if (request.wait > 0) pg::call([] { shmem::queue::cancel_outside_sleep(); });
  if (!claimed.empty()) write_leases(request, claimed);
  return_rows(call, claimed);
  return Datum{0};
}

}  // namespace

MR_SQL_FUNCTION(mr_claim_jobs, claim_jobs);

}  // namespace metrics_refresh::api
