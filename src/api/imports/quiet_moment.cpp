// The switch from pg_cron to this extension, in a deferred trigger at the end of the importing
// transaction.
//
// pg_cron starts the jobs of a minute within about a second after the minute begins. It notices a
// paused job when it next reads its table, at most a second after the commit. Near the beginning of
// a minute it is therefore uncertain which scheduler runs a job. The commit waits until that time
// is past. Due times count here from two seconds after the commit, because pg_cron still runs its
// jobs with intervals of seconds until then.
#include "api/imports/quiet_moment.hpp"

#include "api/access.hpp"
#include "extension/own_schema.hpp"
#include "pg/time.hpp"

namespace metrics_refresh::api {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kMinute{60'000};
// The quiet part of a minute lasts from kAfter behind its beginning to kBefore ahead of the next.
// The margins include the seconds above and the time of the commit itself.
constexpr milliseconds kBefore{3500};
constexpr milliseconds kAfter{2500};

// The time until the next moment in the quiet part of a minute.
milliseconds time_to_wait(core::Instant now) {
  const auto since_1970 = std::chrono::duration_cast<milliseconds>(now.time_since_epoch());
  const milliseconds in_minute = since_1970 % kMinute;
  if (in_minute < kAfter) return kAfter - in_minute;
  if (in_minute >= kMinute - kBefore) return kMinute - in_minute + kAfter;
  return milliseconds{0};
}

Datum begin_at_quiet_moment(FunctionCallInfo call) {
  if (!CALLED_AS_TRIGGER(call))
    throw pg::SqlError(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
                       "the function may only be called as a trigger");
  // An earlier call in this transaction may have handled all jobs.
  bool waits = false;
  extension::as_extension([&](pg::Spi& spi) { waits = store::has_jobs_waiting_for_commit(spi); });
  if (!waits) return Datum{0};
  wait_for_quiet_moment();
  extension::as_extension([](pg::Spi& spi) { store::start_due_times_now(spi); });
  return Datum{0};
}

}  // namespace

void wait_for_quiet_moment() {
  // WaitLatch() may return early, so the time is computed again.
  for (auto left = time_to_wait(pg::now()); left.count() > 0; left = time_to_wait(pg::now()))
    pg::call([left] {
      (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
                      static_cast<long>(left.count()), PG_WAIT_EXTENSION);
      ResetLatch(MyLatch);
      CHECK_FOR_INTERRUPTS();
    });
}

MR_SQL_FUNCTION(mr_job_take_over, begin_at_quiet_moment);

}  // namespace metrics_refresh::api
