// The tables that materialized views read, according to the catalogs. Definitions are not examined.
#pragma once

#include <vector>

#include "pg/spi.hpp"

namespace metrics_refresh::store {

struct ViewTable {
  Oid view;
  Oid owner;  // owner of the view
  Oid table;
};

/// The tables of all materialized views, also through plain views, with the children of the tables;
/// ordered by view and by name of the table. If `foreign_only` is set, only foreign tables. Takes
/// no locks.
std::vector<ViewTable> tables_of_views(pg::Spi& spi, bool foreign_only);

}  // namespace metrics_refresh::store
