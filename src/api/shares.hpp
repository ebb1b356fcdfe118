// What a role may have of what all share, asked where it takes some: jobs, the bytes of their
// texts, runs asked for, and the urgent lane. Superusers have no limit.
#pragma once

#include "api/arguments.hpp"
#include "store/shares.hpp"

namespace metrics_refresh::api {

/// Made before a job of `owner` is written; check() comes after.
class JobShare {
 public:
  explicit JobShare(Oid owner);
  /// Throws SqlError 53400 where the owner has more than his share now, and more than before.
  void check() const;

 private:
  Oid owner_;
  bool limited_;
  store::Share before_;
};

/// After a request was written, or before `coming` are. Throws SqlError 53400 where the current
/// role has more of them than its share.
void check_share_of_requests(std::int64_t coming = 0);

/// Throws SqlError 42501 where the argument `priority` is above 0, unless the caller is a super
/// admin and the job's owner a superuser or a member of metrics_refresh.admin_role.
void check_priority(const NamedArguments& arguments, Oid owner);

/// Throws SqlError 54000 for a text of more than `most` bytes; `what` begins the message.
void check_length(const char* what, std::int64_t length, std::int64_t most);

}  // namespace metrics_refresh::api
