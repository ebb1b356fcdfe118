#include "core/queue/segment_policy.hpp"

#include "queue/upkeep/upkeep.hpp"

#include "pg/time.hpp"
#include "shmem/queue/live_counts.hpp"
#include "shmem/queue/place.hpp"
#include "shmem/queue/prepared_posts.hpp"
#include "shmem/queue/scheduler_news.hpp"
#include "shmem/queue/status.hpp"
#include "store/job_changes.hpp"
#include "store/own_tables.hpp"

namespace metrics_refresh::queue {
namespace {

using core::Instant;

constexpr core::Duration kPace = std::chrono::seconds{1};

}  // namespace

void Upkeep::expect() {
  // If a look has failed, the next one has its time.
  if (!has_place_ && !place_due_.at()) place_due_.at_once();
}

// A place is made at the first use of the queue after a start of the server. If there are types,
// the scheduler makes it, because there may be jobs as well. Types come without a use of the queue
// only before the scheduler starts, or while it waits for the end of a restore.
void Upkeep::find_place(Instant now) {
  bool found = false;
  const bool looked = store::try_with_own_tables(
      "the job queue of the database cannot be served now", [this, &found](pg::Spi& spi) {
        found = shmem::queue::find_queue();
        if (found || !may_have_types_ || store::queue::load_job_types(spi).empty()) return;
        shmem::queue::require_queue();
        found = true;
      });
  if (!looked) return place_due_.failed(now);
  place_due_.succeeded();
  may_have_types_ = false;
  has_place_ = found;
  if (found) begin();
}

// A session has made the place anew, for another schema. If that was in a transaction that was
// rolled back, the types are still there.
void Upkeep::lose_place() {
  has_place_ = false;
  may_have_types_ = true;
  place_due_.at_once();
}

void Upkeep::begin() {
  is_recovered_ = is_open_ = false;
  types_.begin();
  recovery_.begin();
}

void Upkeep::work(Instant now, MayDo may_do) {
  if (may_do == MayDo::kNothing) {
    is_restoring_ = true;
    return close();
  }
  if (std::exchange(is_restoring_, false)) begin_after_restore();
  if (has_place_ && !shmem::queue::is_still_found()) lose_place();
  if (!has_place_ && place_due_.take(now)) find_place(now);
  if (!has_place_) return;
  read_news(now);
  if (types_.work(now)) has_work_ = true;
  if (types_.has_read() && !is_recovered_ &&
      recovery_.work(now, may_do == MayDo::kAll, types_, rotation_))
    expect_everything(now);
  if (!is_recovered_) return;
  open(may_do);
  take_steps(now);
}

// Rows were added that are neither posted nor counted.
void Upkeep::begin_after_restore() {
  may_have_types_ = true;
  place_due_.at_once();
  if (!has_place_) return;
  begin();
  recount_.expect();
}

void Upkeep::read_news(Instant now) {
  const shmem::queue::SchedulerNews news = shmem::queue::take_news();
  if (news.is_new && is_recovered_) begin();
  if (news.types) types_.expect();
  if (news.single) recovery_.expect_end_of_suspect();
  if (news.later) mover_.expect(news.later_due);
  if (news.dependencies) dependencies_.expect_all(now);
  if (news.awaited) dependencies_.expect_ends();
  if (news.batches) batches_.expect();
  if (news.leases) leases_.expect();
  if (news.recount) recount_.expect();
  if (news.ended) notifications_.expect(now);
  rereads_.expect(news.rereads, now);
  if (news.rates_open_at != PG_INT64_MAX)
    rates_due_.no_later_than(pg::to_instant(news.rates_open_at));
  has_work_ = has_work_ || news.work;
  if (news.work || news.ended || news.prepared) {
    rotation_.expect(now);
    pace_due_.no_later_than(now + kPace);
  }
}

// All that the tables may contain.
void Upkeep::expect_everything(Instant now) {
  is_recovered_ = true;
  if (recovery_.is_full()) rereads_.expect_at_once(rotation_.segments_in_use());
  if (!shmem::queue::are_exact()) recount_.expect();
  mover_.expect_all();
  dependencies_.expect_all(now);
  batches_.expect_all();
  leases_.expect();
  history_.expect();
  notifications_.begin();
  pace_due_.no_later_than(now + kPace);  // for transactions that were prepared before
  has_work_ = true;
}

// Claims are closed while a restore is under way. With metrics_refresh.enabled off they stay open,
// but workers claim nothing; to open them again wakes those workers.
void Upkeep::open(MayDo may_do) {
  const bool is_enabled = may_do == MayDo::kAll;
  if (!is_open_ || (is_enabled && !was_enabled_)) shmem::queue::open();
  is_open_ = true;
  was_enabled_ = is_enabled;
}

void Upkeep::close() {
  if (is_open_) shmem::queue::begin_recovery();
  is_open_ = false;
}

void Upkeep::take_steps(Instant now) {
  if (rates_due_.take(now)) shmem::queue::open_rates();
  if (pace_due_.take(now)) keep_pace(now);
  mover_.work(now);
  dependencies_.work(now, mover_);
  batches_.work(now, types_, mover_);
  leases_.work(now, types_);
  rereads_.work(now);
  // The counts may show jobs of a type that does not exist.
  if (recount_.work(now, rotation_.segments_in_use())) types_.expect();
  if (types_.take_orphans()) orphans_.expect();
  if (orphans_.work(now, types_, rotation_.segments_in_use())) types_.expect();
  if (shmem::queue::are_exact()) rotation_.work(now);
  history_.work(now);
  notifications_.work(now);
}

// While workers serve the queue, nothing wakes the scheduler, but segments fill up. Sessions that
// commit a prepared transaction may end before they post its news.
void Upkeep::keep_pace(Instant now) {
  const bool has_prepared = shmem::queue::has_prepared_posts();
  if (has_prepared)
    (void)store::try_with_own_tables(
        "news of prepared transactions cannot be posted now", [](pg::Spi&) {
          pg::call([] {
            store::post_prepared();  // counts changes of types before the jobs are posted
            shmem::queue::post_prepared();
          });
        });
  const std::optional<shmem::queue::QueueStatus> status = shmem::queue::queue_status();
  const bool is_in_use = status && (status->workers > 0 || status->outside > 0);
  if (is_in_use) rotation_.expect(now);
  if (is_in_use || has_prepared) pace_due_.no_later_than(now + kPace);
}

std::optional<Instant> Upkeep::try_again_at() const {
  if (is_restoring_) return std::nullopt;  // the end of the restore wakes the scheduler
  if (!has_place_) return place_due_.at();
  std::optional<Instant> at = types_.try_again_at();
  if (!is_recovered_) return earlier(at, recovery_.try_again_at());
  for (const std::optional<Instant> step :
       {rates_due_.at(), pace_due_.at(), mover_.try_again_at(), dependencies_.try_again_at(),
        batches_.try_again_at(), leases_.try_again_at(), orphans_.try_again_at(),
        rereads_.try_again_at(), recount_.try_again_at(), rotation_.try_again_at(),
        history_.try_again_at(), notifications_.try_again_at()})
    at = earlier(at, step);
  return at;
}

}  // namespace metrics_refresh::queue
