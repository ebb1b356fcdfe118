// purge_jobs(). Dead and canceled jobs are deleted in parts. Completed jobs are counted, and
// removed by whole periods of the history, which leaves no dead rows.
#include "api/arguments.hpp"
#include "api/queue/job_changes.hpp"
#include "api/queue/payload.hpp"
#include "extension/own_schema.hpp"
#include "extension/privilege.hpp"
#include "shmem/queue/place.hpp"
#include "store/queue/job_types.hpp"
#include "store/queue/news.hpp"
#include "store/queue/periods.hpp"
#include "store/queue/stopped.hpp"

namespace metrics_refresh::api {
namespace {

using store::queue::StopStatus;

struct Wanted {
  bool stopped = true;
  bool completed = true;
  std::optional<StopStatus> status;
};

Wanted wanted_by(const std::optional<std::string>& status, bool is_super_admin) {
  if (!status) return {true, is_super_admin, std::nullopt};
  if (*status == "dead") return {true, false, StopStatus::kDead};
  if (*status == "canceled") return {true, false, StopStatus::kCanceled};
  if (*status != "completed")
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "status \"" + *status + "\" has not ended",
                       "Allowed are completed, dead and canceled; NULL for all of them.");
  extension::require_super_admin("purging completed jobs");
  return {false, true, std::nullopt};
}

TimestampTz time_before(TimestampTz now, Datum interval) {
  const TimestampTz time = pg::call([=] {
    return DatumGetTimestampTz(
        DirectFunctionCall2(timestamptz_mi_interval, TimestampTzGetDatum(now), interval));
  });
  if (TIMESTAMP_NOT_FINITE(time) || time > now)
    throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE,
                       "older_than must not be negative or infinite",
                       "Give an interval such as '7 days'.");
  return time;
}

std::int64_t purge_stopped(const std::vector<std::int64_t>& types, TimestampTz before,
                           std::optional<StopStatus> status) {
  constexpr std::int64_t kPart = 1000;
  std::int64_t count = 0;
  if (types.empty()) return 0;
  for (store::queue::JobNumber cursor = 0;;) {
    std::int64_t removed = 0;
    extension::as_extension([&](pg::Spi& spi) {
      for (const auto& type :
           store::queue::purge_stopped(spi, types, before, status, cursor, kPart)) {
        store::queue::note_counts(type.type, {0, 0, -type.dead, -type.canceled});
        removed += type.dead + type.canceled;
      }
    });
    count += removed;
    if (removed < kPart) return count;
    pg::call([] { CHECK_FOR_INTERRUPTS(); });
  }
}

// A period that other sessions read is left for the next purge. It is counted before it is locked.
std::int64_t purge_completed(TimestampTz before) {
  std::int64_t count = 0;
  extension::as_extension([&](pg::Spi& spi) {
    for (const store::queue::Period& period : store::queue::read_periods(spi)) {
      if (period.state != store::queue::Period::State::kClosed || !period.closed_at ||
          *period.closed_at > before)
        continue;
      const std::int64_t jobs = store::queue::count_completed(period.number);
      if (!store::queue::empty_period(spi, period.number)) continue;
      shmem::queue::count_truncation();
      count += jobs;
    }
  });
  return count;
}

Datum purge(FunctionCallInfo call) {
  begin_change("purge_jobs()", "removed background jobs");
  const Arguments arguments(call);
  if (arguments.is_null(0)) Arguments::refuse_null("older_than");
  const TimestampTz before = time_before(GetCurrentTimestamp(), arguments.datum(0));
  const Wanted wanted = wanted_by(arguments.get_text(1), extension::is_super_admin());
  std::vector<std::int64_t> types;
  pg::with_own_sql([&] {
    pg::Spi spi;
    types = store::queue::visible_types(spi);
  });
  std::int64_t count = wanted.stopped ? purge_stopped(types, before, wanted.status) : 0;
  if (wanted.completed) count += purge_completed(before);
  return Int64GetDatum(count);
}

}  // namespace

MR_SQL_FUNCTION(mr_purge_jobs, purge);

}  // namespace metrics_refresh::api
