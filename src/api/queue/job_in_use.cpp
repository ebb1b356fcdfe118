#include "api/queue/job_in_use.hpp"

namespace metrics_refresh::api {

void refuse_job_in_use(std::int64_t id) {
  throw pg::SqlError(ERRCODE_LOCK_NOT_AVAILABLE,
                     "job " + std::to_string(id) + " is being changed by another session",
                     "Try again when its transaction has ended.");
}

}  // namespace metrics_refresh::api
