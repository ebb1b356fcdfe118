#include "shmem/queue/steps.hpp"

#include <algorithm>

namespace metrics_refresh::shmem::queue {

std::uint32_t find_type(const Content& content, TypeId type) noexcept {
  return content.types.find(core::queue::Type::hash_of(type),
                            [type](const TypeEntry& entry) { return entry.type == type; });
}

std::uint32_t find_owner(const Content& content, OwnerId owner) noexcept {
  return content.owners.find(core::queue::mixed(owner),
                             [owner](const OwnerEntry& entry) { return entry.owner == owner; });
}

std::uint32_t find_batch(const Content& content, std::int64_t batch) noexcept {
  return content.batches.find(core::queue::mixed(static_cast<std::uint64_t>(batch)),
                              [batch](const BatchEntry& entry) { return entry.batch == batch; });
}

std::uint32_t find_outside(const Content& content, JobNumber job) noexcept {
  return content.outside.find(OutsideEntry::hash_of(job),
                              [job](const OutsideEntry& entry) { return entry.claim.job == job; });
}

std::uint32_t find_or_add_type(Content& content, TypeId type) noexcept {
  if (const std::uint32_t found = find_type(content, type); found != kNone) return found;
  TypeEntry entry;
  entry.type = type;
  return content.types.insert(entry);
}

// There are two more for each type and one for each worker, so there is always room.
void refer_to_owner(Content& content, OwnerId owner) noexcept {
  std::uint32_t index = find_owner(content, owner);
  if (index == kNone) {
    OwnerEntry entry;
    entry.owner = owner;
    index = content.owners.insert(entry);
  }
  ++content.owners[index].references;
}

void leave_owner(Content& content, OwnerId owner) noexcept {
  const std::uint32_t index = find_owner(content, owner);
  if (index != kNone && --content.owners[index].references == 0) content.owners.erase(index);
}

void tell(bool SchedulerNews::*flag, Content& content, Wakes& wakes) noexcept {
  if (std::exchange(content.news.*flag, true)) return;
  wakes.scheduler = true;
}

void offer_work(Content& content, OwnerId owner, std::uint32_t jobs, Wakes& wakes) noexcept {
  const std::uint32_t index = find_owner(content, owner);
  if (index == kNone || content.state != State::kOpen) return;
  if (is_outside_owner(owner)) {
    wakes.outside_work = true;
    return;
  }
  OwnerEntry& entry = content.owners[index];
  if (entry.idle == 0) {
    if (!std::exchange(entry.is_told, true)) tell(&SchedulerNews::work, content, wakes);
    return;
  }
  for (std::uint32_t i = 0; i < content.workers.size() && jobs > 0 && !wakes.is_full(); ++i) {
    WorkerEntry& worker = content.workers[i];
    if (!worker.is_idle || worker.owner != owner) continue;
    worker.is_idle = false;
    --entry.idle;
    --jobs;
    wakes.add(worker.process);
    if (entry.idle == 0) break;
  }
}

void offer_any_work(Content& content, OwnerId owner, Wakes& wakes) noexcept {
  if (content.ready().has_work(owner) || content.ready().can_steal(owner))
    offer_work(content, owner, Wakes::kMost, wakes);
}

// A woken worker is idle no more, so an owner with more of them than there was room for is the next
// one again.
void offer_any_work_to_all() noexcept {
  constexpr std::uint32_t kDone = 0;  // also if the place is gone; otherwise one more than the next
  std::uint32_t next = 1;
  while (next != kDone)
    next = locked_with_wakes([next](Content& content, Wakes& wakes) {
      for (std::uint32_t i = next - 1; i < content.owners.size(); ++i) {
        if (content.owners[i].references == 0) continue;
        offer_any_work(content, content.owners[i].owner, wakes);
        if (wakes.is_full()) return i + 1;
      }
      return kDone;
    });
}

TransactionNumber widened(TransactionId transaction, FullTransactionId near) noexcept {
  const auto distance = static_cast<std::int32_t>(transaction - XidFromFullTransactionId(near));
  return U64FromFullTransactionId(near) + static_cast<std::uint64_t>(std::int64_t{distance});
}

namespace {

// Whether a change by the transaction counts, since the snapshot of the recount does not see it.
bool is_uncounted(const Content& content, TransactionNumber transaction) noexcept {
  const CountSnapshot& snapshot = content.snapshot;
  if (transaction >= snapshot.xmax) return true;
  if (transaction < snapshot.xmin) return false;
  for (std::uint32_t i = 0; i < snapshot.count; ++i)
    if (snapshot.running[i] == transaction) return true;
  return false;
}

}  // namespace

void count_type(Content& content, TypeId type, const Counts& change, const Ends& ends,
                TransactionNumber transaction) noexcept {
  const std::uint32_t index = find_or_add_type(content, type);
  if (index == kNone) return;
  TypeEntry& entry = content.types[index];
  entry.ends += ends;
  if (!is_uncounted(content, transaction)) return;
  entry.counts += change;
  if (content.recount_is_active) entry.recounted += change;
  if (!entry.is_known) return;
  if (const std::uint32_t role = find_owner(content, entry.copy.role); role != kNone)
    content.owners[role].open += change.in_share();
}

void count_segment(Content& content, std::uint8_t segment, std::int64_t change,
                   TransactionNumber transaction) noexcept {
  if (!is_uncounted(content, transaction)) return;
  content.segments.rows[segment] += change;
  if (content.recount_is_active) content.recounted_segments.rows[segment] += change;
}

void count_batch(Content& content, const BatchCount& added,
                 TransactionNumber transaction) noexcept {
  std::uint32_t index = find_batch(content, added.batch);
  if (index == kNone) {
    BatchEntry entry;
    entry.batch = added.batch;
    entry.is_exact = content.counts_are_exact && !content.batches_overflowed;
    index = content.batches.insert(entry);
  }
  if (index == kNone) {
    content.batches_overflowed = true;
    return;
  }
  if (!is_uncounted(content, transaction)) return;
  content.batches[index].open += added.open;
  if (content.recount_is_active) content.batches[index].recounted += added.open;
}

namespace {

void put_batch_end(Content& content, const BatchEnd& end, Wakes& wakes) noexcept {
  tell(&SchedulerNews::batches, content, wakes);
  for (std::uint32_t i = 0; i < content.batch_end_count; ++i) {
    BatchEnd& known = content.batch_ends[i];
    if (known.batch != end.batch) continue;
    known.lsn = std::max(known.lsn, end.lsn);
    return;
  }
  if (content.batch_end_count == kBatchEnds)
    content.batch_ends_lost = true;
  else
    content.batch_ends[content.batch_end_count++] = end;
}

void end_in_batch(Content& content, const BatchEnd& end, TransactionNumber transaction,
                  Wakes& wakes) noexcept {
  if (const std::uint32_t index = find_batch(content, end.batch); index != kNone) {
    count_batch(content, {end.batch, -1}, transaction);
    const BatchEntry& entry = content.batches[index];
    if (entry.is_exact && !content.recount_is_active && entry.open > 0) return;
  }
  put_batch_end(content, end, wakes);
}

}  // namespace

void tell_end(Content& content, JobNumber job, std::int64_t batch, TransactionNumber transaction,
              XLogRecPtr lsn, Wakes& wakes) noexcept {
  content.news.last_end = std::max(content.news.last_end, lsn);
  if (batch != 0) end_in_batch(content, {batch, lsn}, transaction, wakes);
  if (!filter_has(content, job)) return;
  content.ring[content.ring_end++ % kRing] = {job, lsn};
  wakes.awaited = true;
  tell(&SchedulerNews::awaited, content, wakes);
}

namespace {

struct Change {
  Counts counts;
  Ends ends;
};

Change change_of(const End& end) noexcept {
  Change change;
  change.ends.failed = end.attempt_failed ? 1 : 0;
  change.counts.failed = end.had_failed ? -1 : 0;
  change.counts.open = -1;
  switch (end.outcome) {
    case Outcome::kCompleted:
      change.ends.completed = 1;
      break;
    case Outcome::kParked:
      change.counts.open = 0;
      change.counts.failed += end.has_failed ? 1 : 0;
      break;
    case Outcome::kDead:
      change.counts.dead = change.ends.dead = 1;
      break;
    case Outcome::kCanceled:
      change.counts.canceled = change.ends.canceled = 1;
      break;
    default:
      return {};
  }
  return change;
}

// The mean of about the last eight attempts decides how many jobs a worker claims at once.
void note_duration(Content& content, TypeEntry& entry, core::Duration took) noexcept {
  if (took.count() < 0) return;
  entry.mean = entry.mean.count() < 0 ? took : entry.mean + (took - entry.mean) / 8;
  if (entry.is_known) update_bite(content, entry);
}

}  // namespace

void count_end(Content& content, const End& end, TypeId type, std::uint8_t segment,
               TransactionNumber transaction, XLogRecPtr lsn, Wakes& wakes) noexcept {
  if (end.outcome == Outcome::kIsNoJob || end.outcome == Outcome::kReturned) return;
  const Change change = change_of(end);
  count_type(content, type, change.counts, change.ends, transaction);
  count_segment(content, segment, -1, transaction);
  if (const std::uint32_t index = find_type(content, type); index != kNone)
    note_duration(content, content.types[index], end.took);
  if (end.outcome != Outcome::kParked)
    tell_end(content, end.job, end.batch, transaction, lsn, wakes);
  if (content.watches_ends && (end.outcome != Outcome::kParked || end.attempt_failed))
    tell(&SchedulerNews::ended, content, wakes);
}

void post_locked(Content& content, const Jobs& jobs, TimestampTz now, Wakes& wakes) noexcept {
  const ReadyWork::Posted posted = content.ready().post(jobs, pg::to_instant(now));
  if (!posted.is_known) tell(&SchedulerNews::types, content, wakes);
  if (posted.owner != 0)
    offer_work(
        content, posted.owner,
        static_cast<std::uint32_t>(std::min<JobNumber>(jobs.last - jobs.first + 1, Wakes::kMost)),
        wakes);
}

}  // namespace metrics_refresh::shmem::queue
