#include "pg/limited_subtransaction.hpp"

#include <cstring>

namespace metrics_refresh::pg::detail {
namespace {

volatile sig_atomic_t has_passed = false;
bool is_registered = false;
TimeoutId timer = USER_TIMEOUT;

// Runs in the signal handler of the server's timers. The flags are those of a cancel by SIGINT,
// which a process of this extension ignores while it writes the log.
void pass() {
  has_passed = true;
  QueryCancelPending = true;
  InterruptPending = true;
  SetLatch(MyLatch);
}

}  // namespace

void TimeLimit::start(core::Duration limit) {
  has_passed = false;
  call([limit] {
    // A cancel that came before must not be taken for one by the limit.
    CHECK_FOR_INTERRUPTS();
    if (!is_registered) timer = RegisterTimeout(USER_TIMEOUT, pass);
    is_registered = true;
    enable_timeout_after(timer, core::to_milliseconds(limit));
  });
}

bool TimeLimit::stop() {
  call([] { disable_timeout(timer, false); });
  if (!has_passed) return false;
  QueryCancelPending = false;
  return true;
}

// The function of the server that raises them is the only difference. A cancel by a lock_timeout
// has another SQLSTATE.
bool is_cancel_by_server(const PgError& error) {
  const char* function = error.data().funcname;
  return error.sqlstate() == ERRCODE_QUERY_CANCELED && function != nullptr &&
         std::strcmp(function, "ProcessInterrupts") == 0;
}

}  // namespace metrics_refresh::pg::detail
