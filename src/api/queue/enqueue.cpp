// enqueue() and enqueue_many().
//
// A call without a unique key, `after` and a batch looks nothing up in tables: the type is known to
// the session, the number and the segment come from shared memory, and the row is appended below
// the executor.
#include "api/arguments.hpp"
#include "api/option_table.hpp"
#include "api/queue/batches.hpp"
#include "api/queue/job_type_access.hpp"
#include "api/queue/new_jobs.hpp"
#include "api/queue/payload.hpp"
#include "api/queue/predecessors.hpp"
#include "api/queue/unique_keys.hpp"
#include "pg/array.hpp"

namespace metrics_refresh::api {
namespace {

// The positions of arguments that mean the same for both functions.
struct Positions {
  int priority, run_at, delay, unique_for, unique_states, after, batch, max_attempts;
};
enum EnqueueArgument { kType, kPayload, kUniqueKey = 5, kKey = 8 };
constexpr Positions kOfEnqueue = {2, 3, 4, 6, 7, 9, 10, 11};
enum EnqueueManyArgument { kPayloads = 1, kKeys = 5, kUniqueKeys = 6 };
constexpr Positions kOfEnqueueMany = {2, 3, 4, 7, 8, 9, 10, 11};

std::optional<TimestampTz> start_time(const Arguments& arguments, const Positions& at,
                                      TimestampTz now) {
  if (!arguments.is_null(at.delay)) {
    if (!arguments.is_null(at.run_at))
      refuse_option("run_at and delay exclude each other", "A delay counts from now.");
    return time_after(now, arguments.datum(at.delay), "delay", false);
  }
  if (arguments.is_null(at.run_at)) return std::nullopt;
  return checked_run_at(DatumGetTimestampTz(arguments.datum(at.run_at)));
}

KnownType type_of(const Arguments& arguments) {
  if (arguments.is_null(kType)) Arguments::refuse_null("type");
  const Datum name = arguments.datum(kType);
  return type_to_add_to(pg::call([name] { return DatumGetTextPP(name); }));
}

NewJobOptions read_options(const Arguments& arguments, const Positions& at) {
  NewJobOptions options;
  options.type = type_of(arguments);
  options.now = GetCurrentTimestamp();
  options.priority = arguments.is_null(at.priority)
                         ? options.type.priority
                         : checked_priority(*arguments.get_int32(at.priority));
  options.run_at = start_time(arguments, at, options.now);
  if (!arguments.is_null(at.max_attempts))
    options.max_attempts = checked_max_attempts(*arguments.get_int32(at.max_attempts));
  if (!arguments.is_null(at.after)) options.after = open_predecessors(arguments.datum(at.after));
  if (!arguments.is_null(at.batch)) {
    options.batch = *arguments.get_int64(at.batch);
    use_batch(options.batch);
  }
  return options;
}

// Without a unique key, the period and the states have no meaning.
void read_uniqueness(const Arguments& arguments, const Positions& at, bool has_keys,
                     const char* key_name, NewJobOptions& options) {
  const bool has_period = !arguments.is_null(at.unique_for);
  if (!has_keys) {
    if (has_period) refuse_option(std::string("unique_for needs ") + key_name);
    return;
  }
  if (has_period)
    options.unique_until =
        time_after(options.now, arguments.datum(at.unique_for), "unique_for", true);
  if (!arguments.is_null(at.unique_states))
    options.unique_states = read_unique_states(arguments.datum(at.unique_states));
  if (options.unique_states == 0 && !has_period)
    refuse_option("a unique key needs states or a period in which it is unique",
                  "The default of unique_states is {pending,processing,failed}.");
}

Datum enqueue(FunctionCallInfo call) {
  begin_adding("enqueue()");
  const Arguments arguments(call);
  NewJobOptions options = read_options(arguments, kOfEnqueue);
  NewJob job = {};
  if (arguments.is_null(kPayload)) Arguments::refuse_null("payload");
  job.payload = checked_payload(arguments.datum(kPayload), "payload");
  if (!arguments.is_null(kKey)) job.key = checked_key(arguments.datum(kKey), "key");
  if (!arguments.is_null(kUniqueKey))
    job.unique_key = checked_key(arguments.datum(kUniqueKey), "unique_key");
  read_uniqueness(arguments, kOfEnqueue, job.unique_key != nullptr, "unique_key", options);
  add_jobs(options, &job, 1);
  if (job.is_duplicate) report_duplicate(job);
  return Int64GetDatum(job.id);
}

// Sets the keys of the jobs from an array that has one for each.
void set_keys(Datum array, const char* name, const text* NewJob::*key, NewJob* jobs,
              std::size_t count) {
  const pg::Elements keys = pg::elements_of(array, TEXTOID, name);
  if (static_cast<std::size_t>(keys.count) != count)
    throw pg::SqlError(ERRCODE_ARRAY_SUBSCRIPT_ERROR,
                       std::string(name) + " and payloads must have the same length", "",
                       std::string(name) + " has " + std::to_string(keys.count) +
                           " elements, payloads has " + std::to_string(count) + ".");
  for (std::size_t i = 0; i < count; ++i)
    if (!keys.nulls[i]) jobs[i].*key = checked_key(keys.values[i], name);
}

void return_rows(FunctionCallInfo call, const NewJob* jobs, std::size_t count) {
  pg::call([=] {
    InitMaterializedSRF(call, MAT_SRF_USE_EXPECTED_DESC);
    auto* const result = reinterpret_cast<ReturnSetInfo*>(call->resultinfo);
    bool nulls[] = {false, false};
    for (std::size_t i = 0; i < count; ++i) {
      Datum values[] = {Int64GetDatum(jobs[i].id), BoolGetDatum(jobs[i].is_duplicate)};
      tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    }
  });
}

Datum enqueue_many(FunctionCallInfo call) {
  begin_adding("enqueue_many()");
  const Arguments arguments(call);
  NewJobOptions options = read_options(arguments, kOfEnqueueMany);
  if (arguments.is_null(kPayloads)) Arguments::refuse_null("payloads");
  const pg::Elements payloads = pg::elements_of(arguments.datum(kPayloads), JSONBOID, "payloads");
  const auto count = static_cast<std::size_t>(payloads.count);
  auto* const jobs = pg::call([count] {
    const Size size = (count + 1) * sizeof(NewJob);
    return static_cast<NewJob*>(
        MemoryContextAllocExtended(CurrentMemoryContext, size, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO));
  });
  for (std::size_t i = 0; i < count; ++i) {
    if (payloads.nulls[i])
      throw pg::SqlError(ERRCODE_NULL_VALUE_NOT_ALLOWED, "payloads must not contain NULL");
    jobs[i].payload = checked_payload(payloads.values[i], "payload");
  }
  if (!arguments.is_null(kKeys))
    set_keys(arguments.datum(kKeys), "keys", &NewJob::key, jobs, count);
  const bool has_unique_keys = !arguments.is_null(kUniqueKeys);
  if (has_unique_keys)
    set_keys(arguments.datum(kUniqueKeys), "unique_keys", &NewJob::unique_key, jobs, count);
  read_uniqueness(arguments, kOfEnqueueMany, has_unique_keys, "unique_keys", options);
  add_jobs(options, jobs, count);
  return_rows(call, jobs, count);
  return Datum{0};
}

}  // namespace

MR_SQL_FUNCTION(mr_enqueue, enqueue);
MR_SQL_FUNCTION(mr_enqueue_many, enqueue_many);

}  // namespace metrics_refresh::api
