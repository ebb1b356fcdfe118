// Copies the rows of a hand-written log into the extension's log. They are read as the owner of the
// table and arrive as values.
#pragma once

#include <string>

#include "store/adoption/old_log.hpp"

namespace metrics_refresh::store {

/// Facts about the rows of a log before they are copied.
struct OldRows {
  std::int64_t all = 0;
  std::vector<std::string> words;  // distinct values of the column status
  std::int64_t last_id = 0;        // the highest id up to highest_id()
  std::int64_t high_ids = 0;       // number of higher ids
};

/// Counts as the owner of the table. REQUIRES: no SPI connection of the extension is open.
OldRows count_rows(const OldLog& log);

/// The highest id of an old log that new run numbers may follow. Run numbers must stay far below
/// 2^53, the limit of programs that read JSON numbers, and in the range of the log's own column.
std::int64_t highest_id(Oid type);

/// Makes all new runs have numbers above this one.
void begin_above(pg::Spi& spi, std::int64_t id);

/// A query for pg::read_as_owner(). It returns all rows in the order of their start, each as a
/// jsonb object of texts in the column old_row.
std::string row_query(const OldLog& log);

/// Copies such rows, given as jsonb[], into the log. The owner of the table can see them. They
/// become runs of `view`, or of the views in a column of the log, and get new numbers in their
/// order.
void copy_rows(pg::Spi& spi, const OldLog& log, const std::string& view, const pg::Param& rows);

/// Deletes the rows that were copied for views of this schema. Returns their number.
std::int64_t forget_copied_rows(pg::Spi& spi, const std::string& schema);

}  // namespace metrics_refresh::store
