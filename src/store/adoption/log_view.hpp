// The view that replaces a hand-written log. It begins with the columns of the table.
#pragma once

#include <string>
#include <vector>

#include "store/adoption/old_log.hpp"

namespace metrics_refresh::store {

/// The columns that are NULL in new rows, as a list.
std::string unfilled_columns(const OldLog& log);

/// The statement that creates the view, for the runs of `view` and, if the log has a column for it,
/// of other views. `words` are the words in the column status.
std::string view_statement(const OldLog& log, const std::string& view,
                           const std::vector<std::string>& words);

}  // namespace metrics_refresh::store
