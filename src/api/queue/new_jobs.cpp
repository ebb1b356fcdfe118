#include "api/queue/new_jobs.hpp"

#include <algorithm>

#include "api/queue/unique_keys.hpp"
#include "extension/own_schema.hpp"
#include "store/queue/dependencies.hpp"
#include "store/queue/later.hpp"
#include "store/queue/news.hpp"
#include "store/queue/numbers.hpp"

namespace metrics_refresh::api {
namespace {

using store::queue::Job;

// Rows are made and written in parts of this size.
constexpr std::size_t kPart = 1024;

Job row_of(const NewJobOptions& options, const NewJob& added) {
  Job job;
  job.id = added.id;
  job.created_at = options.now;
  job.type = options.type.id;
  job.enqueued_by = GetUserId();
  job.priority = options.priority;
  job.max_attempts = options.max_attempts;
  job.run_at = options.run_at;
  if (options.batch != 0) job.batch = options.batch;
  if (added.unique_key != nullptr) {
    job.unique_hash = store::queue::unique_hash(job.type, added.unique_key);
    job.unique_until = options.unique_until;
    job.unique_key = added.unique_key;
  }
  job.key = added.key;
  job.payload = added.payload;
  return job;
}

bool must_wait(const NewJobOptions& options) {
  return !options.after.empty() || (options.run_at && *options.run_at > options.now);
}

void insert_waiting(const NewJobOptions& options, Job* jobs, std::size_t count) {
  std::vector<std::int64_t> waiters;
  for (std::size_t i = 0; i < count; ++i) {
    if (!jobs[i].run_at) jobs[i].run_at = options.now;
    waiters.push_back(jobs[i].id);
  }
  store::queue::insert_later(jobs, count, static_cast<std::int16_t>(options.after.size()));
  if (options.after.empty()) return store::queue::note_later(*options.run_at);
  extension::as_extension(
      [&](pg::Spi& spi) { store::queue::add_dependencies(spi, waiters, options.after); });
  store::queue::note_dependencies();
}

// Numbers are taken in as few pieces as possible, so that the jobs are one span.
void number_jobs(NewJob** jobs, std::size_t count) {
  for (std::size_t done = 0; done < count;) {
    const auto numbers = store::queue::new_numbers(static_cast<std::uint32_t>(count - done));
    for (std::uint32_t i = 0; i < numbers.count; ++i) jobs[done++]->id = numbers.first + i;
    store::queue::note_added(numbers.first, numbers.first + numbers.count - 1);
  }
}

void add_part(const NewJobOptions& options, NewJob** jobs, std::size_t count) {
  number_jobs(jobs, count);
  // A single job is the usual case, and needs no allocation.
  Job single;
  std::vector<Job> several;
  Job* rows = &single;
  if (count > 1) {
    several.resize(count);
    rows = several.data();
  }
  for (std::size_t i = 0; i < count; ++i) rows[i] = row_of(options, *jobs[i]);
  if (must_wait(options))
    insert_waiting(options, rows, count);
  else
    store::queue::append_and_note(rows, count);
}

}  // namespace

void begin_adding(const char* function) {
  pg::call([function] {
    PreventCommandIfReadOnly(function);
    PreventCommandIfParallelMode(function);
  });
  shmem::queue::require_queue();
}

void report_duplicate(const NewJob& job) {
  const char* const state = unique_state_name(job);
  pg::call([&job, state] {
    ereport(NOTICE, errmsg("duplicate: job " INT64_FORMAT " has the same unique key", job.id),
            errdetail("It is %s.", state));
  });
}

void add_jobs(const NewJobOptions& options, NewJob* jobs, std::size_t count) {
  bool has_unique_keys = false;
  for (std::size_t i = 0; i < count; ++i)
    has_unique_keys = has_unique_keys || jobs[i].unique_key != nullptr;
  if (has_unique_keys) find_duplicates(options, jobs, count);
  const auto is_new = [](const NewJob& job) { return !job.is_duplicate; };
  check_share_of_queue(options.type, std::count_if(jobs, jobs + count, is_new));
  NewJob* part[kPart];
  std::size_t size = 0;
  std::int64_t added = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (!jobs[i].is_duplicate) part[size++] = &jobs[i];
    if (size == 0 || (size < kPart && i + 1 < count)) continue;
    add_part(options, part, size);
    if (count > kPart) pg::call([] { CHECK_FOR_INTERRUPTS(); });
    added += static_cast<std::int64_t>(size);
    size = 0;
  }
  for (std::size_t i = 0; has_unique_keys && i < count; ++i)
    if (jobs[i].first != nullptr) jobs[i].id = jobs[i].first->id;
  if (added == 0) return;
  store::queue::note_counts(options.type.id, {added, 0, 0, 0});
  if (options.batch != 0) store::queue::note_batch(options.batch, added);
}

}  // namespace metrics_refresh::api
