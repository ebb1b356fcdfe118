// A claim from outside is made in two steps under one lock: a worker of ReadyWork that no process
// is claims the job, and hands it over. A session that has to read a span keeps such a worker of
// its own until it has put the span back.
#include "shmem/queue/outside_claims.hpp"

#include <algorithm>

#include "extension/settings.hpp"
#include "shmem/queue/steps.hpp"

namespace metrics_refresh::shmem::queue {
namespace {

int own_reader = -1;

std::uint32_t reader_index() noexcept {
  return first_reader() + static_cast<std::uint32_t>(own_reader);
}

int free_reader(const Content& content) noexcept {
  for (std::uint32_t i = 0; i < kReaders; ++i)
    if (content.reader_pids[i] == 0) return static_cast<int>(i);
  return -1;
}

Oid role_of(const Content& content, TypeId type) noexcept {
  const std::uint32_t index = find_type(content, type);
  const bool is_known = index != kNone && content.types[index].is_known;
  return is_known ? content.types[index].copy.role : InvalidOid;
}

void insert(Content& content, const OutsideClaim& claim, Oid role) noexcept {
  OutsideEntry entry;
  entry.claim = claim;
  if (add_to_role(content, role, &RoleEntry::outside, 1)) entry.role = role;
  content.outside.insert(entry);
}

// Returns false if there is no room, which leaves the job in the bite.
bool hand_over(Content& content, std::uint32_t worker, OutsideClaim& claim,
               OutsideNext& next) noexcept {
  const Oid role = role_of(content, claim.type);
  if (!may_take(content, role, &RoleEntry::outside, content.outside.free_count()) ||
      !content.ready().hand_over(worker, claim.job)) {
    next.is_full = true;
    if (number_of(content, role, &RoleEntry::outside) > 0) next.beyond_share = role;
    return false;
  }
  insert(content, claim, role);
  return true;
}

// Claims jobs of one lane. kNothing: none of the type may start, or there is no room for more.
NextStep claim_bite(Content& content, TypeId type, std::uint32_t count, std::uint32_t worker,
                    OutsideClaim* claims, OutsideNext& next) noexcept {
  ReadyWork& ready = content.ready();
  const core::Instant now = pg::now();
  const ReadyWork::Claimed claimed = ready.claim(outside_owner(type), worker, now);
  if (claimed == ReadyWork::Claimed::kRead) return NextStep::kRead;
  if (claimed == ReadyWork::Claimed::kAgain) return NextStep::kRun;
  if (claimed == ReadyWork::Claimed::kNothing) return NextStep::kNothing;
  while (next.count < count) {
    const core::queue::Item* const item = ready.start_next(worker, now);
    if (item == nullptr) break;
    OutsideClaim& claim = claims[next.count];
    claim = {};
    claim.job = item->job;
    claim.tid = item->tid;
    claim.segment = item->segment;
    claim.type = type;
    if (!hand_over(content, worker, claim, next)) break;
    ++next.count;
  }
  ready.leave(worker, now);  // gives the rest of the bite back
  return next.count > 0 ? NextStep::kRun : NextStep::kNothing;
}

TypeId* next_type(const ReadyWork& ready, TypeId* types, std::uint32_t count,
                  core::Instant now) noexcept {
  TypeId* next = nullptr;
  core::Instant turn = core::Instant::max();
  for (TypeId* type = types; type != types + count; ++type) {
    const core::Instant of_type = ready.turn_among_owners(*type, now);
    if (of_type >= turn) continue;
    next = type;
    turn = of_type;
  }
  return next;
}

void claim_locked(Content& content, TypeId* types, std::uint32_t type_count, std::uint32_t count,
                  OutsideClaim* claims, OutsideNext& next) noexcept {
  next.step = NextStep::kNothing;
  if (content.state != State::kOpen || !settings::enabled() || own_reader >= 0) return;
  const int reader = free_reader(content);
  const std::uint32_t worker =
      reader < 0 ? transfer() : first_reader() + static_cast<std::uint32_t>(reader);
  const core::Instant now = pg::now();
  content.ready().open_rates(now);
  while (TypeId* const type = next_type(content.ready(), types, type_count, now)) {
    const bool was_full = std::exchange(next.is_full, false);
    next.step = claim_bite(content, *type, count, worker, claims, next);
    const bool is_full = next.is_full;
    next.is_full = is_full || was_full;
    if (next.step == NextStep::kRead && reader < 0) {
      // All are reading. One of them wakes this session when it is done.
      content.ready().leave(worker, now);
      next.step = NextStep::kNothing;
    }
    if (next.step != NextStep::kNothing) break;
    // It gives nothing now. If the share of its owner is used up, nor do the others of that owner.
    const Oid role = role_of(content, *type);
    type_count = static_cast<std::uint32_t>(
        std::remove_if(types, types + type_count,
                       [&, given_up = *type](TypeId other) {
                         return other == given_up || (is_full && role_of(content, other) == role);
                       }) -
        types);
  }
  if (next.step != NextStep::kRead) return;
  own_reader = reader;
  content.reader_pids[reader] = MyProcPid;
  next.reading = content.ready().reading(worker);
}

// Gives a job back, or drops it.
void settle(Content& content, JobNumber job, bool is_no_job, core::Instant now) noexcept {
  const std::uint32_t index = find_outside(content, job);
  if (index == kNone) return;
  const std::uint8_t segment = content.outside[index].claim.segment;
  give_back(content, content.outside[index].role, &RoleEntry::outside, 1);
  if (is_no_job)
    content.ready().end_outside(job, now);
  else
    content.ready().give_back_outside(job, segment, now);
  content.outside.erase(index);
}

UseResult find_to_use(Content& content, JobNumber job, const Token* token,
                      OutsideClaim*& claim) noexcept {
  const std::uint32_t index = find_outside(content, job);
  if (index == kNone) return UseResult::kUnknown;
  claim = &content.outside[index].claim;
  if (token != nullptr && memcmp(token->bytes, claim->token.bytes, kTokenBytes) != 0)
    return UseResult::kStale;
  return claim->state == OutsideState::kLeased ? UseResult::kOk : UseResult::kInUse;
}

void note_lease_end(Content& content, TimestampTz at, Wakes& wakes) noexcept {
  if (at >= content.lease_end) return;
  content.lease_end = at;
  content.news.leases = true;
  wakes.scheduler = true;
}

}  // namespace

OutsideNext claim_outside(TypeId* types, std::uint32_t type_count, std::uint32_t count,
                          OutsideClaim* claims) noexcept {
  return locked(LW_EXCLUSIVE, [=](Content& content) {
    OutsideNext next;
    claim_locked(content, types, type_count, count, claims, next);
    return next;
  });
}

void put_back_outside(const Found* found, std::uint32_t count, JobNumber read_until) noexcept {
  if (own_reader < 0) return;
  const core::Instant now = pg::now();
  locked_with_wakes([=](Content& content, Wakes& wakes) {
    if (content.ready().is_reading(reader_index()))
      content.ready().put_back(reader_index(), found, count, read_until, now);
    content.reader_pids[own_reader] = 0;
    wakes.outside_work = true;
  });
  own_reader = -1;
}

bool reads_outside() noexcept { return own_reader >= 0; }

void lease(const OutsideClaim& claim) noexcept {
  locked(LW_EXCLUSIVE, [&claim](Content& content) {
    const std::uint32_t index = find_outside(content, claim.job);
    if (index == kNone) return;
    OutsideClaim& stored = content.outside[index].claim;
    const OutsideState state = stored.state;
    stored = claim;
    stored.state = state;
  });
}

void begin_leases(const JobNumber* jobs, std::uint32_t count) noexcept {
  locked_with_wakes([=](Content& content, Wakes& wakes) {
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint32_t index = find_outside(content, jobs[i]);
      if (index == kNone) continue;
      content.outside[index].claim.state = OutsideState::kLeased;
      note_lease_end(content, content.outside[index].claim.lease_until, wakes);
    }
  });
}

void give_back_outside(const JobNumber* jobs, std::uint32_t count, bool is_no_job) noexcept {
  if (count == 0) return;
  const core::Instant now = pg::now();
  locked_with_wakes([=](Content& content, Wakes& wakes) {
    for (std::uint32_t i = count; i-- > 0;) settle(content, jobs[i], is_no_job, now);
    wakes.outside_work = true;
  });
}

UseResult use_outside(JobNumber job, const Token* token, bool is_own,
                      OutsideClaim* claim) noexcept {
  return locked(LW_EXCLUSIVE, [=](Content& content) {
    OutsideClaim* stored = nullptr;
    const UseResult result = find_to_use(content, job, token, stored);
    const bool is_made_here =
        is_own && result == UseResult::kInUse && stored->state == OutsideState::kClaiming;
    if (result != UseResult::kOk && !is_made_here) return result;
    *claim = *stored;
    if (!is_made_here) stored->state = OutsideState::kInUse;
    return UseResult::kOk;
  });
}

void stop_use(const JobNumber* jobs, std::uint32_t count) noexcept { begin_leases(jobs, count); }

void end_outside(const End* ends, std::uint32_t count, TransactionNumber transaction,
                 XLogRecPtr lsn) noexcept {
  if (count == 0) return;
  const core::Instant now = pg::now();
  locked_with_wakes([=](Content& content, Wakes& wakes) {
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint32_t index = find_outside(content, ends[i].job);
      if (index == kNone) continue;
      const OutsideClaim& claim = content.outside[index].claim;
      count_end(content, ends[i], claim.type, claim.segment, transaction, lsn, wakes);
      settle(content, ends[i].job, ends[i].outcome != Outcome::kReturned, now);
    }
    wakes.outside_work = true;  // the limits may allow others
  });
}

std::optional<TypeId> leased_type(JobNumber job, const Token& token) noexcept {
  return locked(LW_SHARED, [&](Content& content) -> std::optional<TypeId> {
    OutsideClaim* stored = nullptr;
    if (find_to_use(content, job, &token, stored) != UseResult::kOk) return std::nullopt;
    return stored->type;
  });
}

UseResult extend_lease(JobNumber job, const Token& token, TimestampTz until) noexcept {
  return locked_with_wakes([&](Content& content, Wakes& wakes) {
    OutsideClaim* stored = nullptr;
    const UseResult result = find_to_use(content, job, &token, stored);
    if (result != UseResult::kOk) return result;
    stored->lease_until = until;
    note_lease_end(content, until, wakes);
    return result;
  });
}

void prepare_for_outside_work() {
  if (here != nullptr) ConditionVariablePrepareToSleep(&here->outside_work);
}

void sleep_until_outside_work(long timeout) {
  if (here != nullptr)
    (void)ConditionVariableTimedSleep(&here->outside_work, timeout, PG_WAIT_EXTENSION);
}

void cancel_outside_sleep() { (void)ConditionVariableCancelSleep(); }

TimestampTz next_lease_end() noexcept {
  return locked(LW_SHARED, [](Content& content) -> TimestampTz {
    return content.outside.size() > 0 ? content.lease_end : PG_INT64_MAX;
  });
}

namespace {

constexpr std::uint32_t kScanned = 512;  // entries under one lock

// Looks at some entries from `from` on. Returns the earliest end of a lease that goes on.
TimestampTz take_some(Content& content, std::uint32_t from, TimestampTz now, std::uint32_t most,
                      OutsideClaim* taken, std::uint32_t& count) noexcept {
  TimestampTz earliest = PG_INT64_MAX;
  const std::uint32_t until = std::min(from + kScanned, content.outside.size());
  for (std::uint32_t i = from; i < until; ++i) {
    OutsideClaim& claim = content.outside[i].claim;
    if (claim.job == 0 || claim.state != OutsideState::kLeased) continue;
    if (claim.lease_until > now || count == most) {
      earliest = std::min(earliest, claim.lease_until);
      continue;
    }
    claim.state = OutsideState::kInUse;
    taken[count++] = claim;
  }
  return earliest;
}

}  // namespace

std::vector<OutsideClaim> take_expired(std::uint32_t most) {
  std::vector<OutsideClaim> taken(most);
  std::uint32_t count = 0;
  const TimestampTz now = GetCurrentTimestamp();
  // From now on, sessions lower it.
  locked(LW_EXCLUSIVE, [](Content& content) { content.lease_end = PG_INT64_MAX; });
  TimestampTz earliest = PG_INT64_MAX;
  for (std::uint32_t from = 0; is_current() && from < sizes().ready.outside; from += kScanned)
    locked(LW_EXCLUSIVE, [&](Content& content) {
      earliest = std::min(earliest, take_some(content, from, now, most, taken.data(), count));
    });
  locked(LW_EXCLUSIVE, [earliest](Content& content) {
    content.lease_end = std::min(content.lease_end, earliest);
  });
  taken.resize(count);
  return taken;
}

bool restore_outside(const Jobs& job, const OutsideClaim& claim, Oid role) noexcept {
  const core::Instant now = pg::now();
  return locked_with_wakes([&](Content& content, Wakes& wakes) {
    if (content.outside.free_count() == 0 || !content.ready().restore_outside(job, now))
      return false;
    OutsideClaim leased = claim;
    leased.state = OutsideState::kLeased;
    insert(content, leased, role);
    note_lease_end(content, claim.lease_until, wakes);
    return true;
  });
}

std::vector<OutsideClaim> outside_claims() {
  std::vector<OutsideClaim> claims(is_current() ? sizes().ready.outside : 0);
  std::uint32_t count = 0;
  for (std::uint32_t from = 0; from < claims.size(); from += kScanned)
    locked(LW_SHARED, [&](Content& content) {
      const std::uint32_t until = std::min(from + kScanned, content.outside.size());
      for (std::uint32_t i = from; i < until; ++i)
        if (content.outside[i].claim.job != 0) claims[count++] = content.outside[i].claim;
    });
  claims.resize(count);
  return claims;
}

}  // namespace metrics_refresh::shmem::queue
