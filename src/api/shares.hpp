// Limits on shared resources for one role, checked when the role uses more of them: jobs, the size
// of their texts, requested runs, and the priorities above 0. Superusers have no limits.
#pragma once

#include "api/arguments.hpp"
#include "store/shares.hpp"

namespace metrics_refresh::api {

/// Constructed before a job of `owner` is written. check() is called after that.
class JobShare {
 public:
  explicit JobShare(Oid owner);
  /// Throws SqlError 53400 if the owner now exceeds its share, and uses more than before.
  void check() const;

 private:
  Oid owner_;
  bool limited_;
  store::Share before_;
};

/// Called after a request was written, or before `coming` requests are made. Throws SqlError 53400
/// if the current role exceeds its share of requests.
void check_share_of_requests(std::int64_t coming = 0);

/// Throws SqlError 42501 if the argument `priority` is above 0 and not allowed. The caller must be
/// a super admin. The owner of the job must be a superuser or a member of
/// metrics_refresh.admin_role.
void check_priority(const NamedArguments& arguments, Oid owner);

/// Throws SqlError 54000 if a text has more than `most` bytes. The message begins with `what`.
void check_length(const char* what, std::int64_t length, std::int64_t most);

}  // namespace metrics_refresh::api
