#include "core/scheduler/scheduler.hpp"

#include "worker/queue_service.hpp"

#include "extension/privilege.hpp"
#include "pg/transaction.hpp"
#include "queue/serve.hpp"
#include "worker/job_feed.hpp"
#include "worker/process.hpp"
#include "worker/session.hpp"

namespace metrics_refresh::worker {
namespace {

class OwnerSession final : public queue::WorkerSession {
 public:
  void accept_cancel(bool accept) noexcept override { worker::accept_cancel(accept); }
  // Jobs run only in a session that their owner could open, as commands do. A template, or a
  // database that allows no connections, must have none for long.
  bool is_current() override {
    if (session_state() != SessionState::kCurrent) return false;
    bool may_log_in = false;
    pg::in_transaction_without_snapshot([&may_log_in] {
      may_log_in =
          !is_at_rest_now() && !extension::reason_against_login(GetSessionUserId()).has_value();
    });
    return may_log_in;
  }
  bool reset() override { return reset_session(); }
};

void on_exit(int, Datum) { queue::end_at_exit(); }

}  // namespace

void serve_queue(int slot, Oid owner, pg::Sleeper& sleeper) {
  static bool watches_exit = false;
  if (!std::exchange(watches_exit, true)) pg::call([] { before_shmem_exit(on_exit, 0); });
  if (GetSessionUserId() != owner) return;
  OwnerSession session;
  queue::serve(slot, owner, session, sleeper);
}

}  // namespace metrics_refresh::worker
