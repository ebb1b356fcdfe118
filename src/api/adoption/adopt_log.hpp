// A table of refreshes that was written by hand: its rows go into the log, and a view takes its
// place, for the same readers.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/adoption/adoption.hpp"
#include "engine/view/view.hpp"
#include "store/adoption/old_log.hpp"

namespace metrics_refresh::api {

/// What is there of this name, which the caller has the rights over; locked against everybody
/// unless it is a dry run. Nothing where there is none. Throws SqlError 42501.
std::optional<store::OldLog> find_log(const Adoption& adoption, const std::string& schema,
                                      const std::string& name, const std::vector<Oid>& replaced);

/// Adds the steps for it. `view` is the one whose refreshes are logged there. A table is in the way
/// unless its owner is trusted, the view's owner or the schema's.
void adopt_log(Adoption& adoption, const store::OldLog& log, const engine::View& view,
               Oid schema_owner);

}  // namespace metrics_refresh::api
