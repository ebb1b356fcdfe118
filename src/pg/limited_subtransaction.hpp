// A subtransaction for code of a user that must not delay or prevent the work after it: an alert,
// for example.
#pragma once

#include "core/instant.hpp"
#include "pg/transaction.hpp"

namespace metrics_refresh::pg {

namespace detail {

/// Cancels the query of this process when `limit` has passed since start().
class TimeLimit {
 public:
  static void start(core::Duration limit);
  /// Returns true if the limit has passed. The cancel is then no longer pending.
  static bool stop();
};

/// True if the server itself raised the error: the session was canceled, or reached a timeout. Code
/// of a user can raise the same SQLSTATE.
bool is_cancel_by_server(const PgError& error);

}  // namespace detail

/// Like in_subtransaction(), but no SQLSTATE that `body` raises is passed on, and a `body` that
/// takes longer than `limit` is canceled and rolled back. Cancels of the session are passed on.
/// `overrun` tells whether the limit has passed. REQUIRES: `body` does not call this function.
template <typename Body>
std::optional<PgError> in_limited_subtransaction(core::Duration limit, bool* overrun, Body&& body) {
  detail::Subtransaction subtransaction;
  try {
    detail::TimeLimit::start(limit);
    body();
    *overrun = detail::TimeLimit::stop();
    subtransaction.commit();
    return std::nullopt;
  } catch (const PgError& error) {
    *overrun = detail::TimeLimit::stop();
    subtransaction.roll_back();
    if (!*overrun && detail::is_cancel_by_server(error)) throw;
    return error;
  } catch (...) {
    *overrun = detail::TimeLimit::stop();
    subtransaction.roll_back();
    throw;
  }
}

}  // namespace metrics_refresh::pg
