// The table job_member, for the functions that create and change groups. groups.hpp resolves the
// members of a group at run time.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "pg/spi.hpp"

namespace metrics_refresh::store {

/// Schema and name of a view.
using ViewName = std::pair<std::string, std::string>;

/// The views that the group lists; empty for other jobs.
std::vector<ViewName> members_of(pg::Spi& spi, std::int64_t job_id);

/// Replaces the list of members of the group.
void replace_members(pg::Spi& spi, std::int64_t job_id, const std::vector<ViewName>& views);

}  // namespace metrics_refresh::store
