#include "store/view_tables.hpp"

namespace metrics_refresh::store {

std::vector<ViewTable> tables_of_views(pg::Spi& spi, bool foreign_only) {
  std::vector<ViewTable> tables;
  // Most databases have no foreign table. This check avoids the recursive query.
  if (foreign_only &&
      spi.query("SELECT FROM pg_catalog.pg_class WHERE relkind = 'f' LIMIT 1").empty())
    return tables;
  // Partitions and other children are included: a change may be made in a child directly.
  const pg::Rows rows = spi.query(
      "WITH RECURSIVE tree AS ("
      "  SELECT view_oid, depends_on_oid AS oid FROM metrics_refresh.view_dependencies"
      "  WHERE depends_on_kind IN ('table', 'partitioned table', 'foreign table')"
      "  UNION SELECT t.view_oid, i.inhrelid FROM tree t"
      "  JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid)"
      " SELECT t.view_oid, v.relowner AS owner_oid, t.oid AS table_oid FROM tree t"
      " JOIN pg_catalog.pg_class v ON v.oid = t.view_oid"
      " JOIN pg_catalog.pg_class c ON c.oid = t.oid"
      " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
      " WHERE c.relkind = 'f' OR NOT $1 ORDER BY t.view_oid, n.nspname, c.relname",
      {foreign_only});
  for (std::size_t i = 0; i < rows.size(); ++i)
    tables.push_back(
        {rows.get_oid(i, "view_oid"), rows.get_oid(i, "owner_oid"), rows.get_oid(i, "table_oid")});
  return tables;
}

}  // namespace metrics_refresh::store
