// The table job_member, as the functions that make groups write it. What a group's members mean
// when it runs is groups.hpp's business.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "pg/spi.hpp"

namespace metrics_refresh::store {

/// Schema and name of a view.
using ViewName = std::pair<std::string, std::string>;

/// The views that the group lists; none for other jobs.
std::vector<ViewName> members_of(pg::Spi& spi, std::int64_t job_id);

/// Makes these the members that the group lists, in place of whatever it listed before.
void replace_members(pg::Spi& spi, std::int64_t job_id, const std::vector<ViewName>& views);

}  // namespace metrics_refresh::store
