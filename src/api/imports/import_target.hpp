// Finds the materialized views that an old job's command refreshes. Names are looked up as the
// job's role would find them. If anything is uncertain, the job stays a command.
#pragma once

#include <string>
#include <vector>

#include "api/imports/import_sql.hpp"
#include "store/job_members.hpp"

namespace metrics_refresh::api {

struct ImportTarget {
  // in no order, without duplicates; empty: it stays a command
  std::vector<store::ViewName> views;
  // The function that was looked into, or the reason why it is no refresh; or empty.
  std::string note;
  // Differences once it is a refresh here.
  std::vector<std::string> notes = {};
  Timeouts timeouts = {};  ///< limits of the old job
};

/// The target of a command that `role` runs in this database. Raises no error if the command is
/// invalid.
ImportTarget find_target(const std::string& command, Oid role);

/// The target of a command in another database. Names must have schemas, because nothing can be
/// looked up.
ImportTarget find_target_elsewhere(const std::string& command);

}  // namespace metrics_refresh::api
