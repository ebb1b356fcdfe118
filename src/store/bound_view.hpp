// The reference from a job, or from a member of a group, to its view. The reference holds the name,
// so that it survives DROP and CREATE, and the oid, so that it follows a rename.
// engine::resolve_view() decides which view is meant.
#pragma once

#include <string>

#include "pg/guard.hpp"

namespace metrics_refresh::store {

struct BoundView {
  // Schema and name of the view at the last look; both are empty unless the job refreshes one view.
  std::string view_schema = {};
  std::string view_name = {};
  Oid view_oid = InvalidOid;  // the view at the last look; it may be dropped by now
  // The name that the user gave, if the view was found under another name later; otherwise empty.
  std::string given_schema = {};
  std::string given_name = {};
  Oid owner_oid = InvalidOid;  // the owner of the job; the role may be dropped by now

  bool was_renamed() const { return !given_name.empty(); }
};

}  // namespace metrics_refresh::store
