// Transactions as scopes: transactions for background processes, and subtransactions for code
// inside another statement that has to survive an error.
#pragma once

#include "pg/guard.hpp"

namespace metrics_refresh::pg {

/// Runs `body` in a transaction with an active snapshot and commits. An exception aborts the
/// transaction and is passed on. REQUIRES: a process of this extension, outside of any transaction.
template <typename Body>
void in_transaction(Body&& body);

/// The same without a snapshot. The first one is taken when `body` needs it.
template <typename Body>
void in_transaction_without_snapshot(Body&& body);

/// The same at isolation level repeatable read. Locks can be taken before the only snapshot is.
template <typename Body>
void in_repeatable_read(Body&& body);

/// Commits and begins another transaction, which may write and is read committed, regardless of the
/// session's defaults. REQUIRES: inside in_transaction() or a similar scope.
void commit_and_begin();

/// The commit of this transaction does not wait for a synchronous standby. REQUIRES: a transaction.
void commit_without_standby();

/// Disables transaction_timeout for the rest of the transaction.
void stop_transaction_timeout();

/// The transaction_timeout that a client's session of this role has, in milliseconds. 0: none, as
/// always before version 17. Processes of the extension have it switched off for themselves.
std::int64_t transaction_timeout_of_clients();

/// True if the transaction has exceeded transaction_timeout, which ends the process. REQUIRES: it
/// is not aborted yet.
bool has_transaction_timed_out() noexcept;

/// Aborts the transaction, also one in a transaction block that a command has begun. The same steps
/// as in a session of a client.
void abort_any_transaction();

/// Releases the replication slot that a failed statement still holds, and drops temporary slots.
void release_replication_slots();

/// Runs `body` in a subtransaction. Returns the server error that ended it, after a rollback, or
/// nothing if it committed. A cancellation of the query and C++ exceptions roll back and are passed
/// on.
template <typename Body>
std::optional<PgError> in_subtransaction(Body&& body);

/// Runs `body` in a subtransaction and rolls it back, so that its locks are released. For reading
/// in a long transaction, which must not block other sessions. Exceptions are passed on.
template <typename Body>
void in_discarded_subtransaction(Body&& body);

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
/// A subtransaction that begins at construction and is ended by commit() or roll_back().
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
void in_discarded_subtransaction(Body&& body) {
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
