// The parts of the worker process that the queue needs. The process provides them, because it uses
// them for runs, too.
#pragma once

namespace metrics_refresh::queue {

class WorkerSession {
 public:
  /// Accepts cancels (SIGINT) from now on, or ignores them.
  virtual void accept_cancel(bool accept) noexcept = 0;
  /// True if the session is still like a new one of its owner: neither settings of the role nor its
  /// attributes have changed since the login. REQUIRES, as below: no transaction.
  virtual bool is_current() = 0;
  /// Resets the session. Returns false if a new one is needed, for example because there are
  /// temporary tables.
  virtual bool reset() = 0;

 protected:
  ~WorkerSession() = default;
};

}  // namespace metrics_refresh::queue
