// When jobs go over from pg_cron.
#pragma once

namespace metrics_refresh::api {

/// Waits until the begin of a minute is neither near nor just past, six seconds at most.
void wait_for_quiet_moment();

}  // namespace metrics_refresh::api
