// Replaces a hand-written table of refreshes. Its rows are copied into the log, and a view with its
// name and columns serves its readers.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/adoption/adoption.hpp"
#include "engine/view/view.hpp"
#include "store/adoption/old_log.hpp"

namespace metrics_refresh::api {

/// The relation with this name, over which the caller has the rights, or nothing. Locked
/// exclusively unless it is a dry run. Throws SqlError 42501.
std::optional<store::OldLog> find_log(const Adoption& adoption, const std::string& schema,
                                      const std::string& name, const std::vector<Oid>& replaced);

/// Adds the steps for the table. `view` is the materialized view whose refreshes it contains. A
/// table is in the way unless its owner is trusted, or is the owner of the view or of the schema.
void adopt_log(Adoption& adoption, const store::OldLog& log, const engine::View& view,
               Oid schema_owner);

}  // namespace metrics_refresh::api
