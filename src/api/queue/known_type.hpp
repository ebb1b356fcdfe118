// Job types as this session has read them, so that adding a job looks nothing up in tables and
// catalogs. What is known of a type holds until a job type, a function, a schema or a role changes.
#pragma once

#include "store/queue/job_types.hpp"

namespace metrics_refresh::api {

struct KnownType {
  store::queue::JobMode mode;
  int id;
  Oid owner;
  bool has_share;  // the owner is no superuser
  Oid handler;     // InvalidOid for the mode external
  std::int16_t priority;
};

/// The type of this name, for a caller who adds jobs. Throws SqlError 42704 if there is no such
/// type, 42883 if its handler does not exist, and 42501 if the caller may not execute the handler;
/// for the mode external, if the caller lacks the rights of the owner. Valid until the next call.
const KnownType& type_to_add_to(const text* name);

/// Call it before `count` jobs of the type, or batches with such a callback, are added. Throws
/// SqlError 53400 if its owner would have more that have not ended than
/// metrics_refresh.max_queued_jobs_per_role, with those of open transactions.
void check_share_of_queue(const KnownType& type, std::int64_t count);

}  // namespace metrics_refresh::api
