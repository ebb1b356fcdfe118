// The view that takes the place of a hand-written log, with the same columns first.
#pragma once

#include <string>
#include <vector>

#include "store/adoption/old_log.hpp"

namespace metrics_refresh::store {

/// The columns that no new row fills, as a list.
std::string unfilled_columns(const OldLog& log);

/// The statement that makes the view, of the log of `view` and of others that a column names.
/// `words` are those that the column status has had.
std::string view_statement(const OldLog& log, const std::string& view,
                           const std::vector<std::string>& words);

}  // namespace metrics_refresh::store
