// The functions of store/queue for SQL, so that a test can do their steps in any order. Jobs are of
// type 1. A function that returns jobs returns their numbers and versions: "7.0 9.2".
#include <string>

#include "extension/own_schema.hpp"
#include "shmem/queue/place.hpp"
#include "shmem/queue/status.hpp"
#include "store/queue/batches.hpp"
#include "store/queue/claims.hpp"
#include "store/queue/dependencies.hpp"
#include "store/queue/ended.hpp"
#include "store/queue/find.hpp"
#include "store/queue/hot.hpp"
#include "store/queue/later.hpp"
#include "store/queue/locks.hpp"
#include "store/queue/periods.hpp"
#include "store/queue/segments.hpp"
#include "store/queue/stopped.hpp"

extern "C" {
PG_MODULE_MAGIC;
}

namespace {
// The job that runs, for this process.
std::int64_t running = 0;
}  // namespace

// In place of the queue's shared memory, which remembers no period here.
namespace metrics_refresh::shmem::queue {
bool is_processing(JobNumber job) noexcept { return job == running; }
int current_period() noexcept { return -1; }
int offer_current_period(int period) noexcept { return period; }
void count_double_end() noexcept {}
}  // namespace metrics_refresh::shmem::queue

namespace metrics_refresh::store::queue {
namespace {

std::int64_t number(FunctionCallInfo call, int argument) {
  return DatumGetInt64(call->args[argument].value);
}

std::uint8_t small(FunctionCallInfo call, int argument) {
  return static_cast<std::uint8_t>(number(call, argument));
}

// NULL if the argument is NULL.
const text* text_or_null(FunctionCallInfo call, int argument) {
  if (call->args[argument].isnull) return nullptr;
  return pg::call([=]() -> const text* { return DatumGetTextPP(call->args[argument].value); });
}

Datum answer(const std::string& words) {
  return pg::call([&words] {
    return PointerGetDatum(cstring_to_text_with_len(words.data(), static_cast<int>(words.size())));
  });
}

std::string name_of(JobNumber id, std::int16_t version) {
  return std::to_string(id) + "." + std::to_string(version) + " ";
}

std::string names_of(const std::vector<Unended>& jobs) {
  std::string names;
  for (const Unended& job : jobs) names += name_of(job.place.id, job.version);
  return names;
}

Snapshot latest_snapshot() {
  return pg::call([] {
    CommandCounterIncrement();
    PushActiveSnapshot(GetLatestSnapshot());
    return GetActiveSnapshot();
  });
}

void drop_snapshot() {
  pg::call([] { PopActiveSnapshot(); });
}

std::optional<Job> read(const Place& place) {
  const std::optional<Job> job = read_job(place, latest_snapshot());
  drop_snapshot();
  return job;
}

Job found(std::uint8_t segment, JobNumber id) {
  const std::optional<Job> job = read({id, {}, segment});
  if (!job) throw pg::SqlError(ERRCODE_NO_DATA_FOUND, "there is no such job");
  return *job;
}

// append(segment, first, count, payload, version, unique_key, until)
Datum append(FunctionCallInfo call) {
  const std::uint8_t segment = lock_current_segment([call] { return small(call, 0); });
  std::vector<Job> jobs(static_cast<std::size_t>(number(call, 2)));
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    Job& job = jobs[i];
    job.id = number(call, 1) + static_cast<JobNumber>(i);
    job.created_at = GetCurrentTimestamp();
    job.type = 1;
    job.enqueued_by = GetUserId();
    job.version = static_cast<std::int16_t>(number(call, 4));
    job.payload =
        pg::call([call]() -> const Jsonb* { return DatumGetJsonbP(call->args[3].value); });
    job.unique_key = text_or_null(call, 5);
    if (job.unique_key != nullptr) job.unique_hash = unique_hash(1, job.unique_key);
    if (!call->args[6].isnull) job.unique_until = DatumGetTimestampTz(call->args[6].value);
  }
  append_jobs(segment, jobs.data(), jobs.size());
  std::string places;
  for (const Job& job : jobs)
    if (jobs.size() < 10)
      places += std::to_string(job.tid.block) + "," + std::to_string(job.tid.offset) + " ";
  return answer(places);
}

// read(segment, id, block, offset): the version and the payload's size
Datum read_place(FunctionCallInfo call) {
  const Tid tid = {static_cast<std::uint32_t>(number(call, 2)),
                   static_cast<std::uint16_t>(number(call, 3))};
  const std::optional<Job> job = read({number(call, 1), tid, small(call, 0)});
  if (!job) return answer("none");
  const Size size =
      pg::call([&job] { return toast_raw_datum_size(PointerGetDatum(job->payload)); });
  return answer(name_of(job->id, job->version) + std::to_string(size));
}

Datum finish_jobs(FunctionCallInfo call) {
  std::vector<Job> jobs;
  for (std::int64_t i = 0; i < number(call, 2); ++i)
    jobs.push_back(found(small(call, 0), number(call, 1) + i));
  std::vector<Completed> completed(jobs.size());
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    completed[i].job = &jobs[i];
    completed[i].started_at = completed[i].finished_at = GetCurrentTimestamp();
  }
  finish_many(completed.data(), completed.size(), small(call, 3));
  return answer(std::to_string(jobs.size()));
}

// mark(segment, id, version): an end mark without a look
Datum mark(FunctionCallInfo call) {
  Job job;
  job.segment = small(call, 0);
  job.id = number(call, 1);
  job.version = static_cast<std::int16_t>(number(call, 2));
  mark_ended(&job, 1);
  return answer("");
}

Datum park_job(FunctionCallInfo call) {
  Job job = found(small(call, 0), number(call, 1));
  job.run_at = DatumGetTimestampTz(call->args[2].value);
  ++job.attempts;
  job.flags = static_cast<std::int16_t>(job.flags | kHasFailed);
  park(job);
  return answer("");
}

Datum stop_job(FunctionCallInfo call) {
  Stop how;
  how.status = number(call, 2) != 0 ? StopStatus::kDead : StopStatus::kCanceled;
  how.finished_at = GetCurrentTimestamp();
  stop(found(small(call, 0), number(call, 1)), how);
  return answer("");
}

// unended(segment, after, last, most)
Datum unended(FunctionCallInfo call) {
  std::vector<Unended> jobs(static_cast<std::size_t>(number(call, 3)));
  const UnendedRead result = read_unended(small(call, 0), number(call, 1), number(call, 2),
                                          latest_snapshot(), jobs.data(), jobs.size());
  drop_snapshot();
  jobs.resize(result.count);
  return answer(names_of(jobs) + "until " + std::to_string(result.until));
}

// empty(segment)
Datum empty(FunctionCallInfo call) {
  Emptied result = Emptied::kInUse;
  extension::as_extension([&](pg::Spi& spi) { result = empty_segment(spi, small(call, 0)); });
  if (result == Emptied::kEmptied) return answer("emptied");
  return answer(result == Emptied::kInUse ? "in use" : "not ended");
}

Datum open(FunctionCallInfo call) {
  extension::as_extension(
      [&](pg::Spi& spi) { open_segment(spi, small(call, 0), GetCurrentTimestamp()); });
  return answer("");
}

Datum blocked_by(FunctionCallInfo call) {
  std::optional<BlockingSession> session;
  extension::as_extension([&](pg::Spi& spi) { session = blocking_session(spi, small(call, 0)); });
  return answer(session ? std::to_string(session->pid) : "none");
}

// forward(from, first, count, to)
Datum forward(FunctionCallInfo call) {
  std::vector<Place> places;
  for (std::int64_t i = 0; i < number(call, 2); ++i)
    places.push_back({number(call, 1) + i, {}, small(call, 0)});
  lock_segment(small(call, 3));
  const std::vector<Unended> moved =
      copy_forward(places.data(), places.size(), small(call, 3), latest_snapshot());
  drop_snapshot();
  return answer(names_of(moved));
}

// due(segment, from, most): moves jobs, and tells the time of the next one
Datum due(FunctionCallInfo call) {
  DueCursor cursor;
  cursor.run_at = DatumGetTimestampTz(call->args[1].value);
  std::string result;
  extension::as_extension([&](pg::Spi& spi) {
    lock_segment(small(call, 0));
    const DueJobs jobs = move_due(spi, small(call, 0), cursor, GetCurrentTimestamp(),
                                  static_cast<std::size_t>(number(call, 2)));
    result = names_of(jobs.moved) + "dead " + names_of(jobs.dead);
    if (jobs.is_more) result += "more ";
    if (next_due(spi, cursor)) result += "next";
  });
  return answer(result);
}

Datum where(FunctionCallInfo call) {
  static constexpr const char* kWords[] = {"nowhere", "hot ", "later ", "stopped ", "history"};
  std::string result;
  extension::as_extension([&](pg::Spi& spi) {
    const FoundJob job = find_job(spi, number(call, 0), latest_snapshot(), true);
    result = kWords[static_cast<int>(job.where)];
    if (job.where == Where::kHot) result += std::to_string(job.job.segment);
    if (job.where == Where::kLater) result += std::to_string(job.job.attempts);
    if (job.where == Where::kStopped) result += static_cast<char>(job.status);
    drop_snapshot();
  });
  return answer(result);
}

// unique(key, states, with_completed)
Datum unique(FunctionCallInfo call) {
  std::string result = "none";
  const text* const key = text_or_null(call, 0);
  const std::int64_t hash = unique_hash(1, key);
  lock_unique_key(hash);
  extension::as_extension([&](pg::Spi& spi) {
    const std::optional<UniqueJob> job =
        find_unique(spi, 1, hash, key, static_cast<std::uint16_t>(number(call, 1)),
                    number(call, 2) != 0, GetCurrentTimestamp(), latest_snapshot());
    drop_snapshot();
    if (job) result = std::to_string(job->id) + " " + std::to_string(job->state);
  });
  return answer(result);
}

Datum run(FunctionCallInfo call) {
  running = number(call, 0);
  return answer("");
}

Datum retry(FunctionCallInfo call) {
  std::string result = "none";
  extension::as_extension([&](pg::Spi& spi) {
    std::optional<StoppedJob> stopped = take_stopped(spi, number(call, 0));
    if (!stopped) return;
    stopped->job.version = next_version(stopped->job.version);
    lock_segment(small(call, 1));
    append_jobs(small(call, 1), &stopped->job, 1);
    result = name_of(stopped->job.id, stopped->job.version);
  });
  return answer(result);
}

Datum empty_history(FunctionCallInfo call) {
  bool done = false;
  extension::as_extension([&](pg::Spi& spi) {
    open_period(spi, small(call, 1), GetCurrentTimestamp());
    done = empty_period(spi, small(call, 0));
  });
  return answer(done ? "emptied" : "in use");
}

// later(first, count, waits, run_at)
Datum later(FunctionCallInfo call) {
  std::vector<Job> jobs(static_cast<std::size_t>(number(call, 1)));
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    jobs[i].id = number(call, 0) + static_cast<JobNumber>(i);
    jobs[i].type = 1;
    jobs[i].run_at = DatumGetTimestampTz(call->args[3].value);
    jobs[i].payload = pg::call([]() -> const Jsonb* {
      return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum("{}")));
    });
  }
  insert_later(jobs.data(), jobs.size(), static_cast<std::int16_t>(number(call, 2)));
  return answer("");
}

std::string joined(const std::vector<std::int64_t>& numbers) {
  std::string words;
  for (const std::int64_t n : numbers) words += std::to_string(n) + " ";
  return words;
}

// wait(waiter, first predecessor, count)
Datum wait_for(FunctionCallInfo call) {
  std::vector<std::int64_t> predecessors;
  for (std::int64_t i = 0; i < number(call, 2); ++i) predecessors.push_back(number(call, 1) + i);
  extension::as_extension(
      [&](pg::Spi& spi) { add_dependencies(spi, {number(call, 0)}, predecessors); });
  return answer("");
}

Datum ended(FunctionCallInfo call) {
  std::string result;
  extension::as_extension([&](pg::Spi& spi) {
    result = joined(awaited_of(spi, {number(call, 0)}));
    result += "free " + joined(end_predecessors(spi, {number(call, 0)}, lock_waiters(spi, {number(call, 0)})));
    result += "awaited " + joined(read_predecessors(spi, 0, 10));
  });
  return answer(result);
}

// claim(segment, id, attempt, worker), and all claims of a segment
Datum claim(FunctionCallInfo call) {
  ClaimRow rows[2];
  for (ClaimRow& row : rows) {
    row.segment = small(call, 0);
    row.id = number(call, 1) + (&row - rows);
    row.attempt = static_cast<std::int16_t>(number(call, 2));
    row.worker = text_or_null(call, 3);
    memset(row.token.data, 0xab, sizeof(row.token.data));
  }
  append_claims(rows, 2);
  std::string result;
  read_claims(
      small(call, 0), latest_snapshot(),
      [](void* context, const ClaimRow& row) {
        auto& words = *static_cast<std::string*>(context);
        words += std::to_string(row.id) + "/" + std::to_string(row.attempt) + "/" +
                 (row.worker == nullptr
                      ? std::string("-")
                      : std::string(VARDATA_ANY(row.worker), VARSIZE_ANY_EXHDR(row.worker))) +
                 (row.token.data[15] == 0xab ? " " : " wrong token ");
      },
      &result);
  drop_snapshot();
  return answer(result);
}

// batch(id): makes it open, closes it, counts its open jobs, and takes it
Datum batch(FunctionCallInfo call) {
  Batch made;
  made.id = number(call, 0);
  made.type = 1;
  made.enqueued_by = GetUserId();
  made.is_open = true;
  made.payload = found(small(call, 1), number(call, 2)).payload;
  insert_batch(made);
  pg::call([] { CommandCounterIncrement(); });
  std::string result;
  extension::as_extension([&](pg::Spi& spi) {
    result += take_closed_batch(spi, made.id) ? "taken " : "open ";
    result += close_batch(spi, made.id) ? "closed " : "not closed ";
    result += close_batch(spi, made.id) ? "closed again " : "";
    result += joined(read_batches(spi, 0, 10));
    result += std::to_string(count_open_jobs(spi, made.id)) + " ";
    const std::optional<Batch> taken = take_closed_batch(spi, made.id);
    result += taken && taken->enqueued_by == GetSessionUserId() ? "taken" : "not taken";
  });
  return answer(result);
}

}  // namespace

MR_SQL_FUNCTION(qs_append, append);
MR_SQL_FUNCTION(qs_read, read_place);
MR_SQL_FUNCTION(qs_finish, finish_jobs);
MR_SQL_FUNCTION(qs_mark, mark);
MR_SQL_FUNCTION(qs_park, park_job);
MR_SQL_FUNCTION(qs_stop, stop_job);
MR_SQL_FUNCTION(qs_unended, unended);
MR_SQL_FUNCTION(qs_empty, empty);
MR_SQL_FUNCTION(qs_open, open);
MR_SQL_FUNCTION(qs_blocked_by, blocked_by);
MR_SQL_FUNCTION(qs_forward, forward);
MR_SQL_FUNCTION(qs_due, due);
MR_SQL_FUNCTION(qs_where, where);
MR_SQL_FUNCTION(qs_unique, unique);
MR_SQL_FUNCTION(qs_run, run);
MR_SQL_FUNCTION(qs_retry, retry);
MR_SQL_FUNCTION(qs_empty_history, empty_history);
MR_SQL_FUNCTION(qs_later, later);
MR_SQL_FUNCTION(qs_wait, wait_for);
MR_SQL_FUNCTION(qs_ended, ended);
MR_SQL_FUNCTION(qs_claim, claim);
MR_SQL_FUNCTION(qs_batch, batch);

}  // namespace metrics_refresh::store::queue
