// The rows of a hand-written log in ours.
#pragma once

#include <string>

#include "store/adoption/old_log.hpp"

namespace metrics_refresh::store {

/// Copies all rows into the log, for the table's owner to see, as runs of the view, or of the views
/// that a column names; each with a new number above the old ones, in the order of their begin.
/// Returns how many. REQUIRES: the table is locked, and DateStyle and its like are those of a dump.
std::int64_t copy_rows(pg::Spi& spi, const OldLog& log, const std::string& view);

/// Removes what was copied for views of this schema. Returns how many rows that were.
std::int64_t forget_copied_rows(pg::Spi& spi, const std::string& schema);

}  // namespace metrics_refresh::store
