// The parts of the stress, each an SQL function that a session of its own calls: a worker, a
// session that enqueues, one that changes jobs, a worker outside, and the scheduler. A job does
// nothing but take some microseconds. Sessions of workers may be terminated at any time.
#include <vector>

#include "oracle.hpp"

namespace stress {
namespace {

std::uint32_t random_below(std::uint32_t limit) {
  static std::uint64_t state = static_cast<std::uint64_t>(MyProcPid) * 0x9e3779b97f4a7c15ULL;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return static_cast<std::uint32_t>(state >> 33) % limit;
}

bool is_drained() {
  if (!oracle->stops || oracle->enqueuers != 0) return false;
  return oracle->done == oracle->posted || GetCurrentTimestamp() > oracle->gives_up;
}

void sleep(long milliseconds) {
  (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, milliseconds,
                  PG_WAIT_EXTENSION);
  ResetLatch(MyLatch);
  CHECK_FOR_INTERRUPTS();
}

void spin() {
  for (volatile std::uint32_t i = 0, count = random_below(2000); i < count;) i = i + 1;
  CHECK_FOR_INTERRUPTS();
}

std::vector<queue::Found> rows_of(const queue::Reading& reading, JobNumber& until) {
  std::vector<queue::Found> found;
  until = reading.last;
  for (JobNumber job = reading.first; job <= reading.last && job < kMostJobs; ++job) {
    const std::uint32_t word = oracle->jobs[job];
    const bool is_meant = (word & (kPosted | kDone)) == kPosted && type_of(word) == reading.type &&
                          segment_of(word) == reading.segment && reading.includes(key_of(word));
    if (!is_meant) continue;
    found.push_back({job, key_of(word), {}});
    if (found.size() < 256) continue;
    until = job;
    break;
  }
  return found;
}

// A worker.

JobNumber in_hand[queue::kMostInBite];
int in_hand_count = 0;
std::int64_t committed = 0, completed = 0;

// The transaction of a worker that exits is aborted, so its jobs have not run.
void drop_jobs(int, Datum) {
  while (in_hand_count > 0) stops(in_hand[--in_hand_count]);
  oracle->unknown_rows += committed;
  oracle->unknown_open += completed;
}

void read(const queue::Reading& reading) {
  ++oracle->reads;
  JobNumber until;
  const std::vector<queue::Found> found = rows_of(reading, until);
  queue::put_back(found.data(), static_cast<std::uint32_t>(found.size()), until);
}

// Some jobs fail. Then they are moved, and their new hints are met before their claims have ended.
queue::End end_of(JobNumber job) {
  queue::End end;
  end.job = job;
  end.took = metrics_refresh::core::Duration{random_below(40)};
  if (random_below(32) != 0) {
    finishes(job);
    return end;
  }
  end.outcome = queue::Outcome::kParked;
  ++oracle->parked;
  moves(job);
  stops(job);
  pg_usleep(random_below(200));
  return end;
}

// Runs a job, and as many of its bite as a group has, in one transaction.
queue::Next run(const queue::Started& first) {
  std::vector<queue::End> ends;
  queue::Next next;
  next.started = first;
  const std::uint32_t most = first.type == 1 ? 1 + random_below(8) : 1;
  do {
    const JobNumber job = next.started.job;
    if (starts(job, next.started.segment)) {
      in_hand[in_hand_count++] = job;
      spin();
    } else {
      queue::End wrong;
      wrong.job = job;
      wrong.outcome = queue::Outcome::kIsNoJob;
      ends.push_back(wrong);
    }
    if (ends.size() + static_cast<std::size_t>(in_hand_count) >= most) break;
    next = queue::next(true);
  } while (next.step == queue::NextStep::kRun);
  const std::size_t wrong_count = ends.size();
  while (in_hand_count > 0) {
    ends.push_back(end_of(in_hand[--in_hand_count]));
    if (ends.back().outcome == queue::Outcome::kCompleted) ++completed;
  }
  committed = static_cast<std::int64_t>(ends.size() - wrong_count);
  if (committed > 0) queue::mark_committed(0, 1, 1);
  CHECK_FOR_INTERRUPTS();  // it may exit here, too
  committed = completed = 0;
  if (random_below(64) == 0) {
    queue::end(ends.data(), static_cast<std::uint32_t>(ends.size()));
    if (random_below(4) == 0) queue::give_back_waiting();
    return queue::next();
  }
  return queue::end_and_next(ends.data(), static_cast<std::uint32_t>(ends.size()));
}

void work(int worker, Oid owner) {
  while (!queue::attach(worker, owner)) sleep(1);
  on_shmem_exit(drop_jobs, 0);
  queue::Next next = queue::next();
  while (!is_drained() || next.step != queue::NextStep::kNothing) {
    switch (next.step) {
      case queue::NextStep::kRun:
        next = run(next.started);
        continue;
      case queue::NextStep::kRead:
        read(next.reading);
        break;
      case queue::NextStep::kNothing:
        if (TimestampTz until; queue::rest(&until)) sleep(100);
        break;
      case queue::NextStep::kLeave:
        elog(ERROR, "the place was made anew");
    }
    next = queue::next();
  }
  queue::detach();
}

// A session that enqueues.

queue::Numbers new_numbers(std::uint32_t count) {
  const queue::Numbers numbers = queue::take_numbers(count);
  if (numbers.count > 0) return numbers;
  return queue::add_block(oracle->next_block.fetch_add(queue::kBlock) + 1, count);
}

void enqueue_some(std::uint32_t most) {
  const queue::Numbers numbers = new_numbers(1 + random_below(most));
  const queue::TypeId type = 1 + static_cast<int>(random_below(kTypes));
  const std::uint32_t key = random_below(kKeys);
  const auto segment = static_cast<std::uint8_t>(numbers.first / 50'000 % queue::kSegments);
  for (std::uint32_t i = 0; i < numbers.count; ++i)
    oracle->jobs[numbers.first + i] = word_of(type, key, segment);
  oracle->posted += numbers.count;
  const JobNumber last = numbers.first + numbers.count - 1;
  for (JobNumber seen = oracle->highest;
       seen < last && !oracle->highest.compare_exchange_weak(seen, last);) {
  }
  queue::Jobs jobs = job_of(numbers.first, oracle->jobs[numbers.first]);
  jobs.last = last;
  queue::TypeChange change;
  change.type = type;
  change.counts.open = numbers.count;
  queue::Posts posts;
  posts.jobs = &jobs;
  posts.job_count = posts.type_count = 1;
  posts.types = &change;
  posts.segments[segment] = static_cast<std::int32_t>(numbers.count);
  queue::post(posts);
}

// Sometimes faster than the workers, and sometimes not, so that an idle queue is met, and a backlog
// that has more spans than there are.
void enqueue(JobNumber count) {
  ++oracle->enqueuers;
  while (!oracle->stops && oracle->posted < count) {
    enqueue_some(3);
    const bool is_busy = GetCurrentTimestamp() / USECS_PER_SEC % 4 < 3;
    if (!is_busy || oracle->posted - oracle->done > 60'000) sleep(1);
    CHECK_FOR_INTERRUPTS();
  }
  --oracle->enqueuers;
}

// A session that changes jobs.

void change_some() {
  const JobNumber highest = oracle->highest;
  if (highest == 0) return;
  const auto back = static_cast<JobNumber>(random_below(5000));
  const JobNumber job = highest > back ? highest - back : highest;
  const std::uint32_t seen = oracle->jobs[job];
  if ((seen & kPosted) == 0) return;
  // Processes are of few roles, so that shares come into play.
  const auto role = static_cast<Oid>(10 + MyProcPid % 3);
  if (queue::hold(job, role).result != queue::HoldResult::Result::kHeld) return;
  ++oracle->held;
  spin();
  const std::uint32_t word = oracle->jobs[job];
  if ((word & kRunning) != 0) ++oracle->doubles;
  queue::HoldEnd end;
  end.role = role;
  end.job = job_of(job, word);
  end.is_ready = (word & kDone) == 0;
  if (end.is_ready && random_below(2) == 0) {
    end.is_ready = false;
    oracle->jobs[job].fetch_or(kDone);
    ++oracle->done;
    ++oracle->canceled;
    queue::TypeChange change;
    change.type = type_of(word);
    change.counts.open = -1;
    const queue::Ended ended = {job, 0};
    queue::Posts posts;
    posts.types = &change;
    posts.ended = &ended;
    posts.type_count = posts.ended_count = 1;
    posts.segments[segment_of(word)] = -1;
    queue::post(posts);
  }
  queue::end_holds(&end, 1);
}

// A worker outside.

queue::Token token_of(JobNumber job) {
  queue::Token token;
  const std::int64_t parts[2] = {job, random_below(1'000'000)};
  static_assert(sizeof(parts) == sizeof(token));
  memcpy(token.bytes, parts, sizeof(parts));
  return token;
}

// Returns false if the hint was wrong. One lease in four is too short.
bool lease(queue::OutsideClaim& claim) {
  if (!starts(claim.job, claim.segment)) {
    queue::give_back_outside(&claim.job, 1, true);
    return false;
  }
  claim.token = token_of(claim.job);
  claim.started_at = GetCurrentTimestamp();
  claim.lease_until = claim.started_at + (random_below(4) == 0 ? 100 : USECS_PER_MINUTE);
  queue::lease(claim);
  queue::begin_leases(&claim.job, 1);
  return true;
}

void complete(const queue::OutsideClaim& claim) {
  queue::OutsideClaim used;
  queue::Token wrong = claim.token;
  wrong.bytes[0] = static_cast<unsigned char>(wrong.bytes[0] + 1);
  if (queue::use_outside(claim.job, &wrong, false, &used) == queue::UseResult::kOk) ++oracle->repeated;
  if (queue::use_outside(claim.job, &claim.token, false, &used) != queue::UseResult::kOk) {
    ++oracle->stale;
    return;
  }
  if (random_below(8) == 0) {
    queue::stop_use(&claim.job, 1);
    if (queue::use_outside(claim.job, &claim.token, false, &used) != queue::UseResult::kOk) {
      ++oracle->stale;
      return;
    }
  }
  if (random_below(4) == 0) {
    ++oracle->given_back;
    stops(claim.job);
    queue::give_back_outside(&claim.job, 1, false);
    return;
  }
  finishes(claim.job);
  queue::End end;
  end.job = claim.job;
  queue::end_outside(&end, 1, 1, 1);
}

void work_outside() {
  queue::OutsideClaim claims[100];
  for (bool has_ended = false; !has_ended;) {
    has_ended = is_drained();
    queue::prepare_for_outside_work();
    queue::TypeId type = kOutsideType;
    const queue::OutsideNext next = queue::claim_outside(&type, 1, 1 + random_below(100), claims);
    // Nothing of a claim may get lost if this session is ended, so it is not ended here.
    std::vector<queue::OutsideClaim> leased;
    for (std::uint32_t i = 0; i < next.count; ++i)
      if (lease(claims[i])) leased.push_back(claims[i]);
    if (next.step == queue::NextStep::kRead) {
      JobNumber until;
      const std::vector<queue::Found> found = rows_of(next.reading, until);
      ++oracle->reads;
      queue::put_back_outside(found.data(), static_cast<std::uint32_t>(found.size()), until);
    } else if (next.step == queue::NextStep::kNothing) {
      queue::sleep_until_outside_work(20);
    }
    queue::cancel_outside_sleep();
    for (const queue::OutsideClaim& claim : leased) complete(claim);
    has_ended = has_ended && next.step == queue::NextStep::kNothing && next.count == 0;
    CHECK_FOR_INTERRUPTS();
  }
}

// The scheduler.

void set_types(Oid owner, bool paused) {
  for (queue::TypeId type = 1; type <= kTypes; ++type) {
    queue::TypeCopy copy;
    copy.role = owner;
    copy.settings.owner = type == kOutsideType ? queue::outside_owner(type) : owner;
    copy.settings.bite = type == 1 ? 32 : type == kOutsideType ? 64 : 1;
    copy.settings.concurrency = type == 2 ? 2 : 0;
    copy.settings.concurrency_per_key = type == 3 ? 1 : 0;
    copy.settings.rate_limit = type == 4 ? 500 : 0;
    copy.settings.rate_period = std::chrono::milliseconds{10};
    copy.settings.paused = paused && type == 1;
    if (!queue::set_type(type, copy, queue::type_changes())) elog(ERROR, "no room for a type");
  }
}

void reread(std::uint8_t segment) {
  ++oracle->rereads;
  queue::begin_reread(segment);
  const JobNumber highest = oracle->highest;
  for (JobNumber job = 1; job <= highest; ++job) {
    const std::uint32_t word = oracle->jobs[job];
    if ((word & (kPosted | kDone)) != kPosted || segment_of(word) != segment) continue;
    const queue::Jobs again = job_of(job, word);
    queue::Posts posts;
    posts.jobs = &again;
    posts.job_count = 1;
    queue::post(posts);
  }
  queue::end_reread(segment);
}

void expire() {
  for (const queue::OutsideClaim& claim : queue::take_expired(50)) {
    ++oracle->expired;
    stops(claim.job);
    queue::End end;
    end.job = claim.job;
    end.outcome = queue::Outcome::kReturned;
    queue::end_outside(&end, 1, 1, 1);
  }
}

void schedule(Oid owner) {
  oracle->scheduler = MyProc;
  set_types(owner, false);
  queue::begin_recovery();
  queue::open();
  for (int round = 0; !is_drained(); ++round) {
    const queue::SchedulerNews news = queue::take_news();
    for (std::uint8_t segment = 0; segment < queue::kSegments; ++segment)
      if ((news.rereads >> segment & 1U) != 0) reread(segment);
    queue::open_rates();
    expire();
    if (round % 16 == 0) set_types(owner, round % 32 == 0 && !oracle->stops);
    sleep(10);
  }
  oracle->scheduler = nullptr;
}

}  // namespace
}  // namespace stress

extern "C" {

PG_FUNCTION_INFO_V1(stress_work);
PG_FUNCTION_INFO_V1(stress_enqueue);
PG_FUNCTION_INFO_V1(stress_change);
PG_FUNCTION_INFO_V1(stress_outside);
PG_FUNCTION_INFO_V1(stress_schedule);
PG_FUNCTION_INFO_V1(stress_stop);

Datum stress_work(PG_FUNCTION_ARGS) {
  stress::require_queue();
  stress::work(PG_GETARG_INT32(0), GetUserId());
  PG_RETURN_VOID();
}
Datum stress_enqueue(PG_FUNCTION_ARGS) {
  stress::require_queue();
  stress::enqueue(PG_GETARG_INT64(0));
  PG_RETURN_VOID();
}
Datum stress_change(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  stress::require_queue();
  while (!stress::is_drained()) {
    stress::change_some();
    stress::sleep(1);
  }
  PG_RETURN_VOID();
}
Datum stress_outside(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  stress::require_queue();
  stress::work_outside();
  PG_RETURN_VOID();
}
Datum stress_schedule(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  stress::require_queue();
  stress::schedule(GetUserId());
  PG_RETURN_VOID();
}
// All jobs are posted: the others end when these have ended.
Datum stress_stop(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  stress::oracle->gives_up = GetCurrentTimestamp() + 60 * USECS_PER_SEC;
  stress::oracle->stops = true;
  PG_RETURN_VOID();
}
}
