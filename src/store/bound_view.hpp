// How a job, or a member of a group, knows its view: by name, so that DROP and CREATE are survived,
// and by identity, so that a rename is followed. engine::resolve_view() says which view is meant.
#pragma once

#include <string>

#include "pg/guard.hpp"

namespace metrics_refresh::store {

struct BoundView {
  std::string view_schema = {};  // of a refresh, else empty: the view's when last seen
  std::string view_name = {};
  Oid view_oid = InvalidOid;      // of the view that was meant when last seen; it may be gone
  std::string given_schema = {};  // the name that it was given, where the view was found under
  std::string given_name = {};    // another one since; else empty
  Oid owner_oid = InvalidOid;     // of the job: the role that was meant; it may be gone

  bool was_renamed() const { return !given_name.empty(); }
};

}  // namespace metrics_refresh::store
