#include "store/timetable.hpp"

#include "extension/settings.hpp"
#include "pg/time.hpp"

namespace metrics_refresh::store {

std::optional<core::Timetable> timetable_of(const JobTimes& job) {
  if (!job.schedule) return std::nullopt;
  // The name of the job chooses the value of `H` in a cron expression. The start of the server is
  // the due time of `@reboot`.
  core::Timetable timetable{core::Schedule::parse(*job.schedule, {job.name, pg::server_start()}),
                            &settings::time_zone_or_default(job.timezone),
                            job.starts_at,
                            job.ends_at,
                            {},
                            job.jitter};
  timetable.last_end = job.last_end;
  for (const std::string& window : job.blackout)
    timetable.blackouts.push_back(core::Blackout::parse(window));
  return timetable;
}

}  // namespace metrics_refresh::store
