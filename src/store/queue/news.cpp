// Collects the news of a transaction in arrays of this process, and posts it from callbacks.
//
// Each entry has the subtransaction in which it was noted. Later subtransactions have higher
// numbers, and those that are open are each inside the one before. So the abort of number s takes
// back exactly the entries with numbers from s on, which are the last ones. A subtransaction that
// commits leaves its entries to its parent.
//
// The arrays are kept for the life of the process, so that callbacks allocate nothing. They have a
// limit: beyond it, the scheduler reads the segments and counts the rows again.
#include "store/queue/news.hpp"

#include <algorithm>

#include "pg/guard.hpp"
#include "shmem/queue/hidden_place.hpp"
#include "shmem/queue/outside_claims.hpp"
#include "shmem/queue/prepared_posts.hpp"
#include "store/queue/notes.hpp"

namespace metrics_refresh::store::queue {
namespace {

namespace shared = shmem::queue;

// Numbers that follow each other in one lane are one span.
bool merge(shared::Jobs& last, const shared::Jobs& next) noexcept {
  if (last.type != next.type || last.key != next.key || last.priority != next.priority ||
      last.segment != next.segment || last.last + 1 != next.first)
    return false;
  last.last = next.last;
  return true;
}

bool merge(shared::TypeChange& sum, const shared::TypeChange& more) noexcept {
  if (sum.type != more.type) return false;
  sum.counts += more.counts;
  sum.ends += more.ends;
  sum.has_new_settings = sum.has_new_settings || more.has_new_settings;
  return true;
}

struct SegmentRows {
  std::uint8_t segment;
  std::int32_t rows;
};

bool merge(SegmentRows& sum, const SegmentRows& more) noexcept {
  if (sum.segment != more.segment) return false;
  sum.rows += more.rows;
  return true;
}

bool merge(shared::BatchCount& sum, const shared::BatchCount& more) noexcept {
  if (sum.batch != more.batch) return false;
  sum.open += more.open;
  return true;
}

struct Numbers {
  JobNumber first, last;
};

bool merge(Numbers& last, const Numbers& next) noexcept {
  if (last.last + 1 != next.first) return false;
  last.last = next.last;
  return true;
}

struct NotedUse {
  JobNumber job;
  OutsideUse use;
  bool is_own;  // this transaction has made the claim, so that it is no worker's yet
};

Notes<shared::Jobs, merge> jobs;
Notes<shared::TypeChange, merge> types;
Notes<SegmentRows, merge> segments;
Notes<shared::BatchCount, merge> batches;
Notes<shared::Ended> ended;
Notes<shared::HoldEnd> held;
Notes<Numbers, merge> added;
Notes<NotedUse> used;
Notes<shared::Promise> promises;  // in no order, until the transaction ends
JobNumber reading_from = 0;       // the span that is being read

// Flags: they stay if a part of the transaction is rolled back.
shared::Posts flags = {};
const char* reason_against_prepare = nullptr;
bool is_committed = false;
bool is_noted = false;

SubTransactionId current() {
  is_noted = true;
  return GetCurrentSubTransactionId();
}

void forget() noexcept {
  jobs.count = types.count = segments.count = batches.count = ended.count = 0;
  held.count = used.count = added.count = promises.count = 0;
  flags = {};
  reason_against_prepare = nullptr;
  is_noted = is_committed = false;
}

template <typename List, typename T>
void fill(List& notes, const T*& values, std::uint32_t& count) noexcept {
  values = notes.compact();
  count = notes.count;
}

shared::Posts collect() noexcept {
  shared::Posts posts = flags;
  fill(jobs, posts.jobs, posts.job_count);
  fill(types, posts.types, posts.type_count);
  fill(batches, posts.batches, posts.batch_count);
  fill(ended, posts.ended, posts.ended_count);
  fill(promises, posts.promises, posts.promise_count);
  for (std::uint32_t i = 0; i < segments.count; ++i)
    posts.segments[segments.notes[i].value.segment] += segments.notes[i].value.rows;
  return posts;
}

// Calls `settle` with uses that follow each other and are of one kind, under one lock.
template <typename Settle>
void settle_uses(std::uint32_t from, Settle&& settle) noexcept {
  constexpr std::uint32_t kMost = 64;
  JobNumber numbers[kMost];
  for (std::uint32_t i = from; i < used.count;) {
    const NotedUse first = used.notes[i].value;
    std::uint32_t count = 0;
    for (; i < used.count && count < kMost; ++i) {
      const NotedUse& next = used.notes[i].value;
      if (next.use != first.use || next.is_own != first.is_own) break;
      numbers[count++] = next.job;
    }
    settle(first, numbers, count);
  }
}

// The ends of jobs are in the posts, so the claims only leave shared memory. A claim that was made
// here comes before its end.
void settle_committed_uses() noexcept {
  settle_uses(0, [](const NotedUse& use, const JobNumber* numbers, std::uint32_t count) {
    if (use.use == OutsideUse::kClaim)
      shared::begin_leases(numbers, count);
    else
      shared::give_back_outside(numbers, count, use.use == OutsideUse::kEnd);
  });
}

void undo_uses_from(SubTransactionId sub) noexcept {
  if (shared::reads_outside()) shared::put_back_outside(nullptr, 0, reading_from - 1);
  std::uint32_t from = used.count;
  while (from > 0 && used.notes[from - 1].sub >= sub) --from;
  settle_uses(from, [](const NotedUse& use, const JobNumber* numbers, std::uint32_t count) {
    if (use.use == OutsideUse::kClaim)
      shared::give_back_outside(numbers, count, false);
    else if (!use.is_own)
      shared::stop_use(numbers, count);
  });
  used.count = from;
}

void post_commit() noexcept {
  shared::renew_hidden_place();
  shared::Posts posts = collect();
  posts.lsn = XactLastCommitEnd;
  shared::post(posts);
  if (held.count > 0) shared::end_holds(held.compact(), held.count);
  settle_committed_uses();
  forget();
}

// If the session has found no row, only the hints that came meanwhile are posted.
void make_ready(shared::HoldEnd& end) noexcept { end.is_ready = end.job.type != 0; }

// The held jobs are as ready as they were. Rows of queue_later that were locked were passed over.
void end_aborted() noexcept {
  shared::Posts posts = {};
  posts.later_due = flags.later_due;
  posts.has_dependencies = flags.has_dependencies;
  if (posts.later_due != PG_INT64_MAX || posts.has_dependencies) shared::post(posts);
  for (std::uint32_t i = 0; i < held.count; ++i) make_ready(held.notes[i].value);
  if (held.count > 0) shared::end_holds(held.compact(), held.count);
  undo_uses_from(InvalidSubTransactionId);
  shared::end_promises(promises.compact(), promises.count);
  forget();
}

void end_holds_from(SubTransactionId sub) noexcept {
  while (held.count > 0 && held.last()->sub >= sub) {
    shared::HoldEnd end = held.last()->value;
    make_ready(end);
    --held.count;
    shared::end_holds(&end, 1);
  }
}

void store_prepared() {
  const TransactionId transaction = GetTopTransactionIdIfAny();
  const shared::Posts posts = collect();
  if (!shared::store_prepared(transaction, posts)) {
    // The entries of prepared transactions that have ended become free.
    shared::post_prepared();
    (void)shared::store_prepared(transaction, posts);
  }
  forget();
}

void on_transaction_end(XactEvent event, void*) {
  switch (event) {
    case XACT_EVENT_PRE_COMMIT:
      // As for jobs on a schedule: no hook sees how an apply worker ends prepared transactions.
      if (IsLogicalWorker()) post_prepared_news();
      break;
    case XACT_EVENT_COMMIT:
      is_committed = is_noted || shared::hides_place();
      if (is_noted) flags.transaction = GetTopFullTransactionIdIfAny().value;
      break;
    case XACT_EVENT_ABORT:
      shared::show_place();
      if (is_noted) end_aborted();
      break;
    case XACT_EVENT_PRE_PREPARE:
      if (reason_against_prepare != nullptr)
        ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                errmsg("cannot PREPARE a transaction that has %s", reason_against_prepare),
                errhint("Commit it, or do this in a transaction of its own."));
      if (shared::has_prepared_posts()) shared::post_prepared();
      break;
    case XACT_EVENT_PREPARE:
      shared::show_place();
      if (is_noted) {
        flags.transaction = GetTopFullTransactionIdIfAny().value;
        store_prepared();
      }
      break;
    default:
      break;
  }
}

void on_release(ResourceReleasePhase phase, bool, bool is_top_level, void*) {
  if (is_committed && is_top_level && phase == RESOURCE_RELEASE_AFTER_LOCKS) post_commit();
}

void on_subtransaction_end(SubXactEvent event, SubTransactionId sub, SubTransactionId parent,
                           void*) {
  shared::follow_subtransaction(event, sub, parent);
  if (!is_noted) return;
  if (event == SUBXACT_EVENT_ABORT_SUB) {
    end_holds_from(sub);
    undo_uses_from(sub);
    jobs.forget_from(sub);
    types.forget_from(sub);
    segments.forget_from(sub);
    batches.forget_from(sub);
    ended.forget_from(sub);
    added.forget_from(sub);
  } else if (event == SUBXACT_EVENT_COMMIT_SUB) {
    jobs.give_to_parent(sub, parent);
    types.give_to_parent(sub, parent);
    segments.give_to_parent(sub, parent);
    batches.give_to_parent(sub, parent);
    ended.give_to_parent(sub, parent);
    held.give_to_parent(sub, parent);
    used.give_to_parent(sub, parent);
    added.give_to_parent(sub, parent);
  }
}

void note_segment(std::uint8_t segment, std::int32_t rows) {
  if (!segments.add(current(), {segment, rows})) flags.counts_are_unknown = true;
}

template <typename IsKind>
bool has_use(JobNumber job, IsKind&& is_kind) noexcept {
  for (std::uint32_t i = 0; i < used.count; ++i)
    if (used.notes[i].value.job == job && is_kind(used.notes[i].value.use)) return true;
  return false;
}

// REQUIRES: there is room for one more.
shared::Promise& promise_to(Oid role) noexcept {
  for (std::uint32_t i = 0; i < promises.count; ++i)
    if (promises.notes[i].value.role == role) return promises.notes[i].value;
  promises.notes[promises.count] = {TopSubTransactionId, {role, 0, 0}};
  return promises.notes[promises.count++].value;
}

shared::HoldEnd* find_hold(JobNumber job) noexcept {
  for (std::uint32_t i = held.count; i-- > 0;)
    if (held.notes[i].value.job.first == job) return &held.notes[i].value;
  return nullptr;
}

}  // namespace

void watch_queue_transactions() {
  RegisterXactCallback(on_transaction_end, nullptr);
  RegisterSubXactCallback(on_subtransaction_end, nullptr);
  RegisterResourceReleaseCallback(on_release, nullptr);
}

void note_ready(const shared::Jobs& ready, std::int32_t count) {
  note_segment(ready.segment, count);
  // Not taken back by a rollback: the scheduler then reads the segment in vain.
  if (!jobs.add(current(), ready))
    flags.rereads = static_cast<std::uint8_t>(flags.rereads | 1U << ready.segment);
}

// If there are too many, it is not known that the others were added here.
void note_added(JobNumber first, JobNumber last) { (void)added.add(current(), {first, last}); }

bool is_added_here(JobNumber job) noexcept {
  for (std::uint32_t i = 0; i < added.count; ++i)
    if (job >= added.notes[i].value.first && job <= added.notes[i].value.last) return true;
  return false;
}

void note_marks(std::uint8_t segment, std::int32_t count) { note_segment(segment, -count); }

void note_counts(TypeId type, const shared::Counts& counts, const shared::Ends& ends) {
  if (!types.add(current(), {type, counts, ends, false})) flags.counts_are_unknown = true;
}

// A rollback of a part of the transaction gives nothing back: its rows stay in the table.
bool promise_jobs(Oid role, std::int64_t count, std::int64_t most) {
  is_noted = true;
  promises.make_room();
  shared::Promise& own = promise_to(role);
  if (const std::int64_t missing = own.used + count - own.jobs; missing > 0) {
    // A transaction that adds more and more asks more and more seldom.
    const shared::Promised promised = shared::promise_jobs(role, missing, own.jobs, most);
    if (promised.is_refused) return false;
    own.jobs += promised.jobs;
  }
  own.used += count;
  return true;
}

void note_batch(std::int64_t batch, std::int64_t count) {
  if (!batches.add(current(), {batch, count})) flags.counts_are_unknown = true;
}

void note_ended(JobNumber job, std::int64_t batch) {
  if (!ended.add(current(), {job, batch}))
    throw pg::SqlError(ERRCODE_PROGRAM_LIMIT_EXCEEDED,
                       "the transaction ends too many background jobs",
                       "End fewer of them in a transaction.");
}

void note_later(TimestampTz due) {
  is_noted = true;
  flags.later_due = std::min<TimestampTz>(flags.later_due, due);
}

void note_dependencies() { is_noted = flags.has_dependencies = true; }

void note_batches() { is_noted = flags.has_batches = true; }

void note_types() { is_noted = flags.types_changed = true; }

// If there is no room for it here, or in the news of a prepared transaction, jobs of the type may
// start by its old settings until the scheduler has read the new ones. So it is after COMMIT
// PREPARED if the server was started meanwhile.
void suspend_type(TypeId type) { (void)types.add(current(), {type, {}, {}, true}); }

shared::HoldResult hold_job(JobNumber job, Oid role) {
  const SubTransactionId sub = current();
  // First, since a hold that is not in the list would stay.
  if (held.count == kMostNoted) return {shared::HoldResult::Result::kNoRoom, -1};
  held.make_room();
  const shared::HoldResult result = shared::hold(job, role);
  if (result.result != shared::HoldResult::Result::kHeld || shared::hides_place()) return result;
  shared::HoldEnd end = {};
  end.role = role;
  end.job.first = end.job.last = job;
  (void)held.add(sub, end);
  return result;
}

void set_held_job(const Job& job) {
  shared::HoldEnd* const end = find_hold(job.id);
  if (end == nullptr || job.segment == kNoSegment) return;
  end->job = {job.type, key_hash(job.key), job.priority, job.segment, job.id, job.id, job.tid};
}

void set_held_job(const shared::Jobs& job) {
  if (shared::HoldEnd* const end = find_hold(job.first)) end->job = job;
}

bool holds(JobNumber job) noexcept { return find_hold(job) != nullptr; }

void keep_held_job_ready(JobNumber job) {
  if (shared::HoldEnd* const end = find_hold(job)) make_ready(*end);
}

void reserve_outside_uses(std::uint32_t count) {
  if (used.count + count > kMostNoted)
    throw pg::SqlError(ERRCODE_PROGRAM_LIMIT_EXCEEDED,
                       "the transaction claims or ends too many background jobs",
                       "Claim or end fewer of them in a transaction.");
  used.make_room(count);
}

void note_outside_use(JobNumber job, OutsideUse use) noexcept {
  const bool is_own = use != OutsideUse::kClaim && claims_outside(job);
  (void)used.add(current(), {job, use, is_own});
}

bool claims_outside(JobNumber job) noexcept {
  return has_use(job, [](OutsideUse use) { return use == OutsideUse::kClaim; });
}

bool uses_outside(JobNumber job) noexcept {
  return has_use(job, [](OutsideUse use) { return use != OutsideUse::kClaim; });
}

void drop_outside_claims(const JobNumber* numbers, std::uint32_t count) noexcept {
  const auto is_dropped = [=](const Notes<NotedUse>::Note& note) {
    return std::find(numbers, numbers + count, note.value.job) != numbers + count;
  };
  auto* const end = std::remove_if(used.notes, used.notes + used.count, is_dropped);
  used.count = static_cast<std::uint32_t>(end - used.notes);
  shared::give_back_outside(numbers, count, true);
}

void note_outside_reading(const shared::Reading& span) noexcept {
  (void)current();
  reading_from = span.first;
}

void forbid_prepare(const char* action) noexcept {
  is_noted = true;
  reason_against_prepare = action;
}

// The session that commits may not have used the queue before.
void post_prepared_news() {
  if (!shared::has_prepared_posts()) return;
  pg::boundary([] { (void)shared::find_queue(); });
  shared::post_prepared();
}

}  // namespace metrics_refresh::store::queue
