// What is left when the stress is over, the rate of steps without it, and a recount beside sessions
// that commit.
#include <string>
#include <vector>

#include "oracle.hpp"

namespace stress {
namespace {

std::int64_t sum_of_segments() {
  std::int64_t sum = 0;
  for (const std::int64_t rows : queue::segment_counts().rows) sum += rows < 0 ? -rows : rows;
  return sum;
}

std::string figures() {
  const queue::QueueStatus status = *queue::queue_status();
  std::int64_t open = 0, completed = 0;
  for (const queue::TypeCounts& type : queue::all_type_counts()) {
    open += type.counts.open < 0 ? -type.counts.open : type.counts.open;
    completed += type.ends.completed;
  }
  std::string text;
  const auto add = [&text](const char* name, std::int64_t number) {
    text += std::string(text.empty() ? "" : " ") + name + "=" + std::to_string(number);
  };
  add("lost", oracle->posted - oracle->done);
  add("doubles", oracle->doubles);
  add("repeated", oracle->repeated);
  add("beyond_limits", oracle->beyond_limits);
  // The outcome of a job whose worker exits after its commit is not known.
  add("open", open - oracle->unknown_open);
  add("rows", sum_of_segments() - oracle->unknown_rows);
  add("claims", status.claims);
  add("spans_used", status.spans - status.spans_free);
  add("lanes_used", status.lanes - status.lanes_free);
  add("roles", status.roles);
  add("workers", status.workers);
  text += " |";
  add("posted", oracle->posted);
  add("completed", completed);
  add("starts", oracle->starts);
  add("wrong_hints", oracle->wrong_hints);
  add("reads", oracle->reads);
  add("rereads", oracle->rereads);
  add("held", oracle->held);
  add("canceled", oracle->canceled);
  add("parked", oracle->parked);
  add("given_back", oracle->given_back);
  add("expired", oracle->expired);
  add("stale", oracle->stale);
  add("ended_by_exit", oracle->unknown_rows);
  return text;
}

// Claims and ends `count` jobs of type 1. Returns when it has begun and ended, in microseconds.
std::string run_jobs(int worker, Oid owner, std::int64_t count) {
  if (!queue::attach(worker, owner)) elog(ERROR, "the slot is in use");
  const TimestampTz begun = GetCurrentTimestamp();
  queue::End end;
  end.took = metrics_refresh::core::Duration{10};
  std::uint32_t ended = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const queue::Next next = queue::end_and_next(&end, ended);
    if (next.step != queue::NextStep::kRun) break;
    queue::mark_committed(0, 1, 1);
    end.job = next.started.job;
    ended = 1;
  }
  queue::end(&end, ended);
  const TimestampTz until = GetCurrentTimestamp();
  queue::detach();
  return std::to_string(begun) + " " + std::to_string(until);
}

void fill(JobNumber count) {
  queue::Posts posts;
  std::vector<queue::Jobs> jobs;
  for (JobNumber first = 1; first <= count; first += 1000) {
    queue::Jobs span;
    span.type = 1;
    span.first = first;
    span.last = first + 999;
    jobs.push_back(span);
  }
  posts.jobs = jobs.data();
  posts.job_count = static_cast<std::uint32_t>(jobs.size());
  queue::post(posts);
}

// The number of rows that the transaction has added. Its post may come long after it is visible.
std::int64_t rows_added = 0;

void on_transaction_end(XactEvent event, void*) {
  if (event == XACT_EVENT_COMMIT && rows_added != 0) {
    if (rows_added > 0) pg_usleep(500);
    queue::TypeChange change;
    change.type = 1;
    change.counts.open = rows_added;
    queue::Posts posts;
    posts.transaction = U64FromFullTransactionId(GetTopFullTransactionIdIfAny());
    posts.types = &change;
    posts.type_count = 1;
    queue::post(posts);
  }
  if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT) rows_added = 0;
}

void note(std::int64_t rows) {
  static bool is_registered = false;
  if (!is_registered) RegisterXactCallback(on_transaction_end, nullptr);
  is_registered = true;
  rows_added += rows;
}

queue::TypeCopy own_type() {
  queue::TypeCopy copy;
  copy.role = GetUserId();
  copy.settings.owner = GetUserId();
  copy.settings.bite = 32;
  return copy;
}

void change_type() {
  queue::TypeChange change;
  change.type = 1;
  change.has_new_settings = true;
  queue::Posts posts;
  posts.types_changed = true;
  posts.types = &change;
  posts.type_count = 1;
  queue::post(posts);
}

char has_work() {
  for (const queue::OwnerWork& owner : queue::owners())
    if (owner.has_work) return 't';
  return 'f';
}

// Counts the rows of a table.
void recount(const char* query) {
  const Snapshot snapshot = queue::begin_recount();
  SPI_connect();
  if (SPI_execute(query, true, 1) != SPI_OK_SELECT) elog(ERROR, "no rows");
  const std::int64_t rows = atoll(SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1));
  SPI_finish();
  PopActiveSnapshot();
  UnregisterSnapshot(snapshot);
  queue::Recount counted;
  queue::Counts counts;
  counts.open = rows;
  counted.types.push_back({1, counts});
  if (!queue::end_recount(counted)) elog(ERROR, "the recount was not in force");
}

}  // namespace
}  // namespace stress

extern "C" {

PG_FUNCTION_INFO_V1(stress_figures);
PG_FUNCTION_INFO_V1(stress_fill);
PG_FUNCTION_INFO_V1(stress_suspend);
PG_FUNCTION_INFO_V1(stress_steps);
PG_FUNCTION_INFO_V1(stress_note);
PG_FUNCTION_INFO_V1(stress_recount);
PG_FUNCTION_INFO_V1(stress_open);

Datum stress_figures(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  stress::require_queue();
  PG_RETURN_TEXT_P(cstring_to_text(stress::figures().c_str()));
}
Datum stress_fill(PG_FUNCTION_ARGS) {
  stress::require_queue();
  stress::queue::set_type(1, stress::own_type(), stress::queue::type_changes());
  stress::queue::begin_recovery();
  stress::fill(PG_GETARG_INT64(0));
  stress::queue::open();
  PG_RETURN_VOID();
}
// Whether jobs may start: before a change of their type, after it, when the type as it was before
// is set, and when the type as it is now is set.
Datum stress_suspend(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  stress::require_queue();
  std::string may_start(1, stress::has_work());
  const std::uint64_t before = stress::queue::type_changes();
  stress::change_type();
  may_start += stress::has_work();
  stress::queue::set_type(1, stress::own_type(), before);
  may_start += stress::has_work();
  stress::queue::set_type(1, stress::own_type(), stress::queue::type_changes());
  PG_RETURN_TEXT_P(cstring_to_text((may_start + stress::has_work()).c_str()));
}
Datum stress_steps(PG_FUNCTION_ARGS) {
  stress::require_queue();
  PG_RETURN_TEXT_P(cstring_to_text(
      stress::run_jobs(PG_GETARG_INT32(0), GetUserId(), PG_GETARG_INT64(1)).c_str()));
}
Datum stress_note(PG_FUNCTION_ARGS) {
  stress::require_queue();
  stress::note(PG_GETARG_INT64(0));
  PG_RETURN_VOID();
}
Datum stress_recount(PG_FUNCTION_ARGS) {
  stress::require_queue();
  stress::recount(text_to_cstring(PG_GETARG_TEXT_PP(0)));
  PG_RETURN_BOOL(stress::queue::are_exact());
}
Datum stress_open(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  stress::require_queue();
  PG_RETURN_INT64(stress::queue::type_counts(1).counts.open);
}
}
