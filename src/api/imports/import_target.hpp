// What an old job's command does, as far as it is a refresh of materialized views: names are looked
// up as the job's role would find them, and what is not certain stays a command.
#pragma once

#include <string>
#include <vector>

#include "api/imports/import_sql.hpp"
#include "store/job_members.hpp"

namespace metrics_refresh::api {

struct ImportTarget {
  std::vector<store::ViewName> views;  ///< in no order, each once; empty: it stays a command
  std::string note;  ///< through which function, or why it is no refresh; or empty
  std::vector<std::string> notes = {};  ///< what is different once it is a refresh here
  Timeouts timeouts = {};               ///< what limits it today
};

/// In this database, run by `role`. Raises nothing for what is wrong with the command.
ImportTarget find_target(const std::string& command, Oid role);

/// In another database, where nothing can be looked up: the names must have their schemas.
ImportTarget find_target_elsewhere(const std::string& command);

}  // namespace metrics_refresh::api
