#include "engine/view/one_owner.hpp"

#include "pg/role.hpp"

#include <set>
#include <string>

namespace metrics_refresh::engine {

void require_one_owner(const std::vector<Oid>& owners) {
  // A set sorts the names, so that the message is the same at each run.
  std::set<std::string> names;
  for (const Oid owner : owners) names.insert(pg::role_name(owner));
  if (names.size() <= 1) return;
  throw pg::SqlError(
      ERRCODE_FEATURE_NOT_SUPPORTED,
      "a group with isolation repeatable_read needs views of one owner",
      "A refresh runs in its owner's session, and a snapshot is one session's: make a "
      "group for each owner, or choose isolation read_committed.",
      "Its views belong to " + core::joined(names) + ".");
}

}  // namespace metrics_refresh::engine
