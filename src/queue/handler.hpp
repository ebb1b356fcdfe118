// The function that performs the jobs of a type, ready to be called. It is called as the user of
// the session, who is the owner of the type and needs EXECUTE on it. The look-up is kept until a
// function, a role or a membership changes.
#pragma once

#include <string>

#include "store/queue/handlers.hpp"
#include "store/queue/job.hpp"

namespace metrics_refresh::queue {

class Handler {
 public:
  Handler(store::queue::Handler bound, Oid owner);
  ~Handler();
  Handler(const Handler&) = delete;
  Handler& operator=(const Handler&) = delete;

  /// Calls the function in an atomic context. Throws SqlError 42883 or 42501 if that is not
  /// possible, and the errors of the function. REQUIRES: a transaction with an active snapshot.
  void call(const store::queue::Job& job);

 private:
  void look_up();

  store::queue::Handler bound_;
  Oid owner_;
  FmgrInfo function_ = {};  // fn_oid is InvalidOid if it was not looked up
  MemoryContext memory_;    // of function_
  std::uint64_t looked_up_at_ = 0;
};

}  // namespace metrics_refresh::queue
