// Claims of workers outside the server. Each has a token and a lease. The claim is made in the
// transaction of claim_jobs(), and the lease begins with its commit.
//
//   kClaiming -> kLeased (commit), gone (abort: the job is given back)
//   kLeased   -> kInUse (a session ends or releases it, or the scheduler ends its lease)
//   kInUse    -> gone (commit), kLeased (abort)
//
// A session keeps a list of the claims that it uses, and settles each in its callback for the end
// of the transaction. Such a transaction cannot be prepared.
#pragma once

#include <optional>
#include <vector>

#include "shmem/queue/work.hpp"

namespace metrics_refresh::shmem::queue {

inline constexpr std::size_t kTokenBytes = 16;
inline constexpr std::size_t kWorkerNameBytes = 48;  // with the final zero

struct Token {
  unsigned char bytes[kTokenBytes] = {};
};

enum class OutsideState : std::uint8_t { kClaiming, kLeased, kInUse };

struct OutsideClaim {
  JobNumber job = 0;
  Tid tid;  // of its row, if it is known
  TypeId type = 0;
  std::uint8_t segment = 0;
  OutsideState state = OutsideState::kClaiming;
  std::int16_t attempt = 0;
  Token token;
  TimestampTz started_at = 0;
  TimestampTz lease_until = 0;
  Oid claimed_by = InvalidOid;
  char worker[kWorkerNameBytes] = "";
};

/// Claims up to `count` jobs of one lane, in the state kClaiming, and stores the numbers and rows
/// in `claims`; the others of their fields are set by lease(). The lane is that of the type whose
/// turn it is (Turns::turn_among_owners()). The call changes the order of `types`.
///   kRun      call it again for more jobs; `count` may be 0
///   kRead     the session has to read a span for others first (put_back_outside())
///   kNothing  no job may start now, too many sessions read, or there is no room (`is_full`)
/// If the owner of a type for which there is no room has claims, these are its share
/// (`beyond_share`; see role_shares.hpp).
struct OutsideNext {
  NextStep step = NextStep::kNothing;
  std::uint32_t count = 0;
  bool is_full = false;
  Oid beyond_share = InvalidOid;
  Reading reading;
};
OutsideNext claim_outside(TypeId* types, std::uint32_t type_count, std::uint32_t count,
                          OutsideClaim* claims) noexcept;
/// REQUIRES: claim_outside() has returned kRead in this transaction. The abort of the transaction
/// calls it with no result: `found` null, `read_until` Reading::first - 1.
void put_back_outside(const Found* found, std::uint32_t count, JobNumber read_until) noexcept;
/// True between kRead and put_back_outside().
bool reads_outside() noexcept;

/// Stores token, attempt, times, role and name of a claim of this transaction.
void lease(const OutsideClaim& claim) noexcept;
/// The commit of claim_jobs(): the jobs are kLeased.
void begin_leases(const JobNumber* jobs, std::uint32_t count) noexcept;
/// The claims are gone; the jobs are as ready as before: abort of claim_jobs(), a wrong hint
/// (`is_no_job`), or the commit of release_jobs().
void give_back_outside(const JobNumber* jobs, std::uint32_t count, bool is_no_job) noexcept;

enum class UseResult : std::uint8_t {
  kUnknown,  // no such claim
  kOk,
  kStale,  // another token
  kInUse   // another session is ending it, or the scheduler
};
/// For complete, fail, release: looks the claim up, and marks it kInUse by this session. `claim` is
/// a copy of it. A null `token` means any, for cancel_job(). `is_own`: this transaction has made
/// the claim, which stays kClaiming.
UseResult use_outside(JobNumber job, const Token* token, bool is_own, OutsideClaim* claim) noexcept;
/// The transaction was rolled back: the claims are kLeased again, and can expire.
void stop_use(const JobNumber* jobs, std::uint32_t count) noexcept;
/// It has committed: the claims are gone, and the ends count. As end().
void end_outside(const End* ends, std::uint32_t count, TransactionNumber transaction,
                 XLogRecPtr lsn) noexcept;
/// The type of the job whose lease the token proves.
std::optional<TypeId> leased_type(JobNumber job, const Token& token) noexcept;
/// For heartbeat_jobs(). Takes effect at once.
UseResult extend_lease(JobNumber job, const Token& token, TimestampTz until) noexcept;

/// To wait for jobs of outside types: prepare, claim, sleep, and claim again. `timeout` is in
/// milliseconds. REQUIRES: inside pg::call().
void prepare_for_outside_work();
void sleep_until_outside_work(long timeout);
void cancel_outside_sleep();

// For the scheduler.

/// The earliest end of a lease, or earlier; PG_INT64_MAX if there is none.
TimestampTz next_lease_end() noexcept;
/// Up to `most` claims whose lease has ended, now kInUse by the scheduler. Its transaction ends as
/// that of a session: stop_use() or end_outside().
std::vector<OutsideClaim> take_expired(std::uint32_t most);
/// Makes a claim that was leased before a restart, whatever the share of `role` is, who owns the
/// type. Returns false if there is no room, or the job has a holder.
bool restore_outside(const Jobs& job, const OutsideClaim& claim, Oid role) noexcept;
/// Copies of all claims, for background_jobs.
std::vector<OutsideClaim> outside_claims();

}  // namespace metrics_refresh::shmem::queue
