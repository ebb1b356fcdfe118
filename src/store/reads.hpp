// The source that a function of this layer reads from. The tables are for code with the rights of
// the extension. The views of the same names in the schema metrics_refresh show each role only the
// rows that it may see.
#pragma once

#include <string>

namespace metrics_refresh::store {

enum class Reads { kTables, kViews };

/// The qualified name of the table, or of the view with its name.
inline std::string read_name(Reads reads, const char* table) {
  return (reads == Reads::kTables ? "metrics_refresh_internal." : "metrics_refresh.") +
         std::string(table);
}

}  // namespace metrics_refresh::store
