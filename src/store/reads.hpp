// Where a function of this layer reads from. The tables are for code that has the extension's
// rights; the views of the same names in the schema metrics_refresh show each role what it may see.
#pragma once

#include <string>

namespace metrics_refresh::store {

enum class Reads { kTables, kViews };

/// The name to read this table by, qualified.
inline std::string read_name(Reads reads, const char* table) {
  return (reads == Reads::kTables ? "metrics_refresh_internal." : "metrics_refresh.") +
         std::string(table);
}

}  // namespace metrics_refresh::store
