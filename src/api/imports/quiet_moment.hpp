// The moment at which jobs are taken over from pg_cron.
#pragma once

namespace metrics_refresh::api {

/// Waits until the beginning of a minute is neither near nor just past, for at most six seconds.
void wait_for_quiet_moment();

}  // namespace metrics_refresh::api
