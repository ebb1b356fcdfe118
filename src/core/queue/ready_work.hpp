// All jobs of a queue that are ready to start, or claimed, as numbers. It knows nothing of rows,
// transactions, processes or clocks: a worker claims a number first, and looks at the row after
// that. So the numbers are hints: too many cost time, never a second run. The promises are:
//
//   1. Each job that was posted is in a span, a claim, a hold or a read, or its segment is wanted
//      for a reread, until its claim ends.
//   2. A job has one holder at a time.
//   3. No limit of a type or a key is exceeded. Limits count claims, so none of them leaks.
//
// Everything lies in one piece of memory that the caller provides (see Array). The caller lets one
// process in at a time. No function allocates or raises, and each takes a bounded number of steps.
//
// A worker repeats: claim(); for each start_next(): run the job, mark_committed(), end(). If
// claim() says kRead, it reads the rows of reading() and gives the result to put_back().
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstddef>
#include <cstdint>

#include "core/instant.hpp"
#include "core/queue/array.hpp"
#include "core/queue/bite.hpp"
#include "core/queue/claimed_set.hpp"
#include "core/queue/spans.hpp"
#include "core/queue/turns.hpp"

namespace metrics_refresh::core::queue {

class ReadyWork {
 public:
  struct Sizes {
    std::uint32_t spans = 32'768;
    std::uint32_t lanes = 8192;  // beside the shared ones
    std::uint32_t types = 512;
    std::uint32_t workers = 64;  // below Claim::kOutside
    std::uint32_t holds = 4096;
    std::uint32_t outside = 16'384;  // claims of holders outside the server
  };
  /// Jobs of one lane: all numbers from first to last.
  struct Jobs {
    TypeId type = 0;
    KeyHash key = 0;
    std::int16_t priority = 0;
    std::uint8_t segment = 0;
    JobNumber first = 0, last = 0;
    Tid tid;  // of the first one
  };
  struct Posted {
    OwnerId owner = 0;     // of the type; its workers may have something to do
    bool is_known = true;  // false: the jobs wait for set_type() or forget_type()
  };
  enum class Claimed {
    kNothing,  // no job of the owner may start now
    kJobs,     // the worker has a bite
    kRead,     // the worker has a span to read
    kAgain     // all numbers looked at have a holder; claim again
  };
  /// A span to be read: the numbers of a segment that have a row and no end mark, in their order.
  struct Reading {
    TypeId type = 0;
    /// If is_shared, all keys that share the lane (see includes()); else this key alone.
    bool is_shared = false;
    KeyHash key = 0;
    std::uint32_t shared_lane = 0;
    std::uint8_t segment = 0;
    JobNumber first = 0, last = 0;

    bool includes(KeyHash other) const noexcept {
      return is_shared ? other % kSharedLanes == shared_lane : other == key;
    }
  };
  struct Found {
    JobNumber job = 0;
    KeyHash key = 0;
    Tid tid;
  };
  struct Held {
    enum class Result {
      kHeld,     // until release()
      kRunning,  // `worker` has started it
      kOutside,  // it is claimed from outside
      kInUse,    // there is a hold already
      kNoRoom    // for one more, or not for this session
    };
    Result result = Result::kHeld;
    std::uint32_t worker = 0;
  };

  static std::size_t bytes(const Sizes& sizes) noexcept;
  /// Makes an empty queue. REQUIRES: `memory` has that many bytes and is aligned to 8 bytes.
  static ReadyWork& make(void* memory, const Sizes& sizes) noexcept;

  /// Returns false if there is no room for one more type.
  bool set_type(TypeId type, const TypeSettings& settings, Instant now) noexcept;
  /// The type starts nothing until set_type(). Does nothing if it is not known.
  void suspend_type(TypeId type) noexcept;
  /// The type is gone. Hints for its jobs are dropped.
  void forget_type(TypeId type, Instant now) noexcept;
  /// Changes TypeSettings::bite alone. Does nothing if the type is not known.
  void set_bite(TypeId type, std::uint32_t bite) noexcept;
  /// The owner of the type, or 0 if it is not known.
  OwnerId owner_of(TypeId type) const noexcept;
  /// The number of claimed jobs of the type.
  std::uint32_t running(TypeId type) const noexcept;

  Posted post(const Jobs& jobs, Instant now) noexcept;

  /// Claims jobs for a worker, if need be from the bite of another one. Call start_next() before
  /// another process comes in, so that the first job is not stolen again. REQUIRES: the worker has
  /// neither a bite nor a span to read.
  Claimed claim(OwnerId owner, std::uint32_t worker, Instant now) noexcept;
  /// Claims this job alone, whatever the limits are. Returns false if it has a holder, or there is
  /// no room for its type. REQUIRES: as claim().
  bool claim_one(const Jobs& job, std::uint32_t worker, Instant now) noexcept;
  const Bite& bite(std::uint32_t worker) const noexcept { return workers_[worker].bite; }
  bool is_reading(std::uint32_t worker) const noexcept {
    return workers_[worker].reading_span != kNone;
  }
  /// The holder of the job (a worker, Claim::kHold or Claim::kOutside), or kNone.
  std::uint32_t holder_of(JobNumber job) noexcept;
  /// Returns the next job of the bite, or null. Then the bite has none; or its time is over, or the
  /// rate limit forbids the start, and the jobs that wait have been given back.
  const Item* start_next(std::uint32_t worker, Instant now) noexcept;
  /// The transaction of the started job of the worker has committed; 0: of all its started jobs.
  void mark_committed(std::uint32_t worker, JobNumber job) noexcept;
  /// The worker has the job no longer. end(): it has ended, or the hint was wrong. give_back(): it
  /// is as ready as before. REQUIRES: it is in the bite; for give_back(), it is not committed.
  void end(std::uint32_t worker, JobNumber job, Instant now) noexcept;
  void give_back(std::uint32_t worker, JobNumber job, Instant now) noexcept;
  /// The worker has gone. Committed jobs end; all others, and its span to read, are given back.
  void leave(std::uint32_t worker, Instant now) noexcept;

  /// The holder of a started job of the worker is outside the server from now on, so that the
  /// worker may claim others. Returns false if there are too many of them.
  bool hand_over(std::uint32_t worker, JobNumber job) noexcept;
  /// Makes such a claim that is known from before a restart. Returns false if the job has a holder,
  /// or if there is no room.
  bool restore_outside(const Jobs& job, Instant now) noexcept;
  bool is_outside(JobNumber job) noexcept;
  /// As end() and give_back(). REQUIRES: is_outside(job).
  void end_outside(JobNumber job, Instant now) noexcept;
  void give_back_outside(JobNumber job, std::uint8_t segment, Instant now) noexcept;
  /// Starts in the last period that are known from before a restart count for the rate limit.
  void book_starts(TypeId type, std::uint32_t count, Instant now) noexcept;

  /// REQUIRES: the worker has a span to read. The snapshot for it is taken after claim().
  Reading reading(std::uint32_t worker) const noexcept;
  /// The numbers up to `read_until` have been read, and these are jobs of the lane, in order.
  /// Jobs of this span that are not among them are no longer covered by it.
  void put_back(std::uint32_t worker, const Found* found, std::uint32_t count, JobNumber read_until,
                Instant now) noexcept;

  /// Keeps workers away from a job that a session is about to change. The session reads the job's
  /// row after that. It posts the job again if the job is still ready when the hold ends. Without
  /// `may_hold`, it only learns who has the job.
  Held hold(JobNumber job, bool may_hold = true) noexcept;
  std::uint32_t free_holds() const noexcept { return most_holds_ - holds_; }
  /// REQUIRES: hold() has returned kHeld. Returns the segments of hints for the job that were met
  /// meanwhile, or from whose bite the job was taken: a bit for each. In these it has to be posted
  /// again, even if the change was committed.
  std::uint8_t release(JobNumber job) noexcept;

  /// Segments whose unmarked jobs must be posted again, because there was no room to cover some: a
  /// bit for each. begin_reread() comes before the snapshot, end_reread() after the last post.
  std::uint32_t rereads_wanted() const noexcept { return rereads_wanted_; }
  void want_reread(std::uint8_t segment) noexcept { rereads_wanted_ |= 1U << segment; }
  void begin_reread(std::uint8_t segment) noexcept;
  void end_reread(std::uint8_t segment) noexcept;
  /// Rereads that have begun will not end.
  void abandon_rereads() noexcept;

  /// Whether claim() can take jobs of the owner from the bite of another worker.
  bool can_steal(OwnerId owner) const noexcept;
  bool has_work(OwnerId owner) const noexcept { return turns_.has_work(owner); }
  /// The owner with ready work whose last turn is longest ago; 0 if there is none.
  OwnerId next_owner() const noexcept { return turns_.next_owner(); }
  /// Lets types start again whose rate limit permits it. Returns true if there is one. claim()
  /// does so, too; if no worker is awake, the caller has to do it at rates_open_at().
  bool open_rates(Instant now) noexcept { return turns_.open_rates(now); }
  Instant rates_open_at() const noexcept { return turns_.rates_open_at(); }

  std::uint32_t free_spans() const noexcept { return spans_.free_count(); }
  std::uint32_t free_lanes() const noexcept { return turns_.free_lanes(); }
  std::uint32_t free_types() const noexcept { return turns_.free_types(); }
  std::uint32_t claims() const noexcept { return claimed_.size(); }
  std::uint32_t holds() const noexcept { return holds_; }
  std::uint32_t outside() const noexcept { return outside_; }
  /// Since when the lane of the type waits that comes next. Instant::max() if no job may start.
  Instant oldest_turn_of(TypeId type, Instant now) const noexcept;
  /// As Turns::turn_among_owners(). REQUIRES: open_rates() has been called.
  Instant turn_among_owners(TypeId type, Instant now) const noexcept;

 private:
  struct Worker {
    Bite bite;
    std::uint32_t reading_lane = kNone, reading_span = kNone;
  };
  /// The numbers that claim() looks at before it lets other processes in.
  static constexpr std::uint32_t kMostLooks = 256;

  void append(std::uint32_t lane, const Span& span, Instant now) noexcept;
  void prepend(std::uint32_t lane, const Span& span) noexcept;
  void begin(Bite& bite, std::uint32_t lane, Instant now) noexcept;
  void fill(std::uint32_t worker, std::uint32_t lane, std::uint32_t& looks, Instant now) noexcept;
  void take_to_read(std::uint32_t worker, std::uint32_t lane) noexcept;
  bool may_be_stolen(const Bite& bite, OwnerId owner) const noexcept;
  bool steal(OwnerId owner, std::uint32_t thief) noexcept;
  bool may_go_on(const Bite& bite, Instant now) noexcept;
  void finish(JobNumber job, Instant now) noexcept;

  Turns turns_;
  Spans spans_;
  ClaimedSet claimed_;
  Array<Worker> workers_;
  std::uint32_t holds_ = 0, most_holds_ = 0;
  std::uint32_t outside_ = 0, most_outside_ = 0;
  std::uint32_t rereads_wanted_ = 0, rereads_begun_ = 0;
};

}  // namespace metrics_refresh::core::queue
