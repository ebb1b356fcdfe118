// The moment at which jobs go over from pg_cron: the trigger that ends an import's transaction.
//
// pg_cron starts what a minute brings within about a second of its begin, and learns of a paused
// job when it next looks, a second after the commit at most. So near the begin of a minute nobody
// could tell who serves it; the commit waits until that is past. Due times count here from two
// seconds after it on, for jobs that pg_cron runs every few seconds: those before it were
// pg_cron's.
#include "api/imports/take_over.hpp"

#include "api/access.hpp"
#include "pg/time.hpp"

namespace metrics_refresh::api {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kMinute{60'000};
constexpr milliseconds kBefore{3500};
constexpr milliseconds kAfter{2500};

// How long until the next moment that is far enough from the begin of a minute.
milliseconds time_to_wait(core::Instant now) {
  const auto since_1970 = std::chrono::duration_cast<milliseconds>(now.time_since_epoch());
  const milliseconds in_minute = since_1970 % kMinute;
  if (in_minute < kAfter) return kAfter - in_minute;
  if (in_minute >= kMinute - kBefore) return kMinute - in_minute + kAfter;
  return milliseconds{0};
}

Datum take_over(FunctionCallInfo call) {
  if (!CALLED_AS_TRIGGER(call))
    throw pg::SqlError(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
                       "the function may only be called as a trigger");
  bool waits = false;  // an earlier one of this transaction may have done it all
  with_tables([&](pg::Spi& spi) { waits = store::is_to_count_from_commit(spi); });
  if (!waits) return PointerGetDatum(nullptr);
  wait_for_quiet_moment();
  with_tables([](pg::Spi& spi) { store::count_from_soon(spi); });
  return PointerGetDatum(nullptr);
}

}  // namespace

void wait_for_quiet_moment() {
  for (auto left = time_to_wait(pg::now()); left.count() > 0; left = time_to_wait(pg::now()))
    pg::call([left] {
      (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
                      static_cast<long>(left.count()), PG_WAIT_EXTENSION);
      ResetLatch(MyLatch);
      CHECK_FOR_INTERRUPTS();
    });
}

}  // namespace metrics_refresh::api

extern "C" {
MR_SQL_FUNCTION(mr_job_take_over);
Datum mr_job_take_over(PG_FUNCTION_ARGS) {
  return metrics_refresh::pg::boundary([&] { return metrics_refresh::api::take_over(fcinfo); });
}
}
