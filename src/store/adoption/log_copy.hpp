// The rows of a hand-written log in ours. They are read as the table's owner, and come here as
// values.
#pragma once

#include <string>

#include "store/adoption/old_log.hpp"

namespace metrics_refresh::store {

/// What is known of the rows of a log before they are copied.
struct OldRows {
  std::int64_t all = 0;
  std::vector<std::string> words;  // distinct ones of the column status
  std::int64_t last_id = 0;        // the highest up to highest_id()
  std::int64_t high_ids = 0;       // how many are higher
};

/// Counts as the table's owner. REQUIRES: outside any connection of the extension's.
OldRows count_rows(const OldLog& log);

/// Numbers of an old log up to this one are counted on from. A higher one is not: the numbers of
/// runs are to stay far below 2^53, which is as far as programs count that read JSON, and within
/// the type of the log's own column.
std::int64_t highest_id(Oid type);

/// No new run gets a number up to this one.
void begin_above(pg::Spi& spi, std::int64_t id);

/// A query for pg::read_as_owner() that gives all rows in the order of their begin, each as one
/// jsonb object of texts.
std::string row_query(const OldLog& log);

/// Copies such rows, a jsonb[], into the log, for the table's owner to see, as runs of the view, or
/// of the views that a column names; each with a new number, in their order.
void copy_rows(pg::Spi& spi, const OldLog& log, const std::string& view, const pg::Param& rows);

/// Removes what was copied for views of this schema. Returns how many rows that were.
std::int64_t forget_copied_rows(pg::Spi& spi, const std::string& schema);

}  // namespace metrics_refresh::store
