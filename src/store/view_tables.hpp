// Which tables materialized views read, as the catalogs say it without a look at definitions.
#pragma once

#include <vector>

#include "pg/spi.hpp"

namespace metrics_refresh::store {

struct ViewTable {
  Oid view;
  Oid owner;  // of the view
  Oid table;
};

/// Of all materialized views, through plain views and with what inherits from the tables; by the
/// names of the tables. Only foreign tables where these alone are wanted. Locks nothing.
std::vector<ViewTable> tables_of_views(pg::Spi& spi, bool foreign_only);

}  // namespace metrics_refresh::store
