#include "store/queue/running_job.hpp"

namespace metrics_refresh::store::queue {
namespace {

RunningJob* running = nullptr;

}  // namespace

RunningJob* running_job() noexcept { return running; }

void set_running_job(RunningJob* job) noexcept { running = job; }

}  // namespace metrics_refresh::store::queue
