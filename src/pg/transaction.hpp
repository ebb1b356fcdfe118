// Transactions as scopes: whole ones for our processes, subtransactions for code that runs inside
// somebody's statement and must survive an error.
#pragma once

#include "pg/guard.hpp"

namespace metrics_refresh::pg {

/// Runs `body` in a transaction of its own, with an active snapshot, and commits it. Any exception
/// aborts it and keeps flying.
/// REQUIRES: a process of ours, outside any transaction.
template <typename Body>
void in_transaction(Body&& body);

/// The same without a snapshot: the first is taken when `body` asks for it.
template <typename Body>
void in_transaction_without_snapshot(Body&& body);

/// The same at isolation level repeatable read: locks can be waited for before its one snapshot.
template <typename Body>
void in_repeatable_read(Body&& body);

/// Commits, and begins another that may write, at read committed whatever the session's default.
/// REQUIRES: in_transaction() or its like.
void go_on_in_another_transaction();

/// The commit of this transaction waits for no synchronous standby.
/// REQUIRES: a transaction.
void commit_without_standby();

/// No transaction_timeout for the rest of the transaction.
void stop_transaction_timeout();

/// True where the transaction has exceeded transaction_timeout, which ends the process. REQUIRES:
/// it is not aborted yet.
bool has_transaction_timed_out() noexcept;

/// Gives back the replication slot that a failed statement still holds, and drops temporary ones.
void release_replication_slots();

/// Runs `body` in a subtransaction. Returns the server error that ended it, its work undone, or
/// nothing when it committed. A cancelled query and every C++ exception roll back and keep flying:
/// they are not ours to swallow.
template <typename Body>
std::optional<PgError> in_subtransaction(Body&& body);

/// Runs `body` in a subtransaction and undoes it, so that the locks it took are given back: for a
/// look at what a long transaction must not keep others from. Whatever it throws keeps flying.
template <typename Body>
void look(Body&& body);

namespace detail {
void begin_transaction();
void begin_transaction_without_snapshot();
void begin_repeatable_read();
void commit_transaction();
void abort_transaction();
}  // namespace detail

namespace detail {
template <typename Body>
void finish_transaction(Body&& body) {
  try {
    body();
    commit_transaction();
  } catch (...) {
    abort_transaction();
    throw;
  }
}
}  // namespace detail

template <typename Body>
void in_transaction(Body&& body) {
  detail::begin_transaction();
  detail::finish_transaction(body);
}

template <typename Body>
void in_transaction_without_snapshot(Body&& body) {
  detail::begin_transaction_without_snapshot();
  detail::finish_transaction(body);
}

template <typename Body>
void in_repeatable_read(Body&& body) {
  detail::begin_repeatable_read();
  detail::finish_transaction(body);
}

namespace detail {
/// A subtransaction that is begun at once, and ended by one of the two.
class Subtransaction {
 public:
  Subtransaction() : context_(CurrentMemoryContext), owner_(CurrentResourceOwner) {
    call([] { BeginInternalSubTransaction(nullptr); });
    MemoryContextSwitchTo(context_);
  }
  void commit() {
    call([] { ReleaseCurrentSubTransaction(); });
    restore();
  }
  void roll_back() {
    call([] { RollbackAndReleaseCurrentSubTransaction(); });
    restore();
  }

 private:
  void restore() noexcept {
    MemoryContextSwitchTo(context_);
    CurrentResourceOwner = owner_;
  }
  MemoryContext context_;
  ResourceOwner owner_;
};
}  // namespace detail

template <typename Body>
std::optional<PgError> in_subtransaction(Body&& body) {
  detail::Subtransaction subtransaction;
  try {
    body();
    subtransaction.commit();
    return std::nullopt;
  } catch (const PgError& error) {
    subtransaction.roll_back();
    if (error.sqlstate() == ERRCODE_QUERY_CANCELED) throw;
    return error;
  } catch (...) {
    subtransaction.roll_back();
    throw;
  }
}

template <typename Body>
void look(Body&& body) {
  detail::Subtransaction subtransaction;
  try {
    body();
  } catch (...) {
    subtransaction.roll_back();
    throw;
  }
  subtransaction.roll_back();
}

}  // namespace metrics_refresh::pg
