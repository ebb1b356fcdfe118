// Rights over a job: the role that has enqueued it may see and cancel it, the owner of its type and
// super admins may also start it again. To all others the job does not exist.
#pragma once

#include "store/queue/find.hpp"

namespace metrics_refresh::api {

/// For the present role. The types of several jobs are read once.
class JobRights {
 public:
  /// REQUIRES, as below: inside extension::as_extension(), whose Spi it gets; the caller's role was
  /// `caller` before.
  JobRights(pg::Spi& spi, Oid caller, bool is_super_admin)
      : spi_(spi), caller_(caller), is_super_admin_(is_super_admin) {}

  bool may_manage(store::queue::TypeId type);
  bool may_see(const store::queue::Job& job);

 private:
  pg::Spi& spi_;
  Oid caller_;
  bool is_super_admin_;
  store::queue::TypeId known_type_ = 0;
  bool may_manage_known_ = false;
};

/// They throw SqlError 53400: all roles, or the present one, change too many jobs at a time.
[[noreturn]] void refuse_full_holds();
[[noreturn]] void refuse_share_of_holds();
[[noreturn]] void refuse_missing_job_number(std::int64_t id);

}  // namespace metrics_refresh::api
