#include "store/rule_reads.hpp"

namespace metrics_refresh::store {
namespace {

// Each view with all its parts: itself and the plain views below it. UNION stops at views that
// refer to each other.
#define PARTS                                                                                 \
  "WITH RECURSIVE part AS (SELECT v AS view, v AS oid FROM unnest($1::int8[]::oid[]) v UNION" \
  " SELECT p.view, d.refobjid FROM part p"                                                    \
  " JOIN pg_catalog.pg_rewrite w ON w.ev_class = p.oid"                                       \
  " JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass"             \
  "  AND d.objid = w.oid AND d.refclassid = 'pg_catalog.pg_class'::regclass"                  \
  " JOIN pg_catalog.pg_class c ON c.oid = d.refobjid AND c.relkind = 'v')"
#define NAMED                                                                     \
  " JOIN pg_catalog.pg_class v ON v.oid = p.view"                                 \
  " JOIN pg_catalog.pg_rewrite w ON w.ev_class = p.oid"                           \
  " JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass" \
  "  AND d.objid = w.oid"

std::vector<RuleRead> read(pg::Spi& spi, const char* query, const std::vector<Oid>& views) {
  std::vector<RuleRead> reads;
  if (views.empty()) return reads;
  const std::vector<std::int64_t> oids(views.begin(), views.end());
  const pg::Rows rows = spi.query(query, {pg::Param::array(oids)});
  for (std::size_t i = 0; i < rows.size(); ++i)
    reads.push_back({rows.get_oid(i, "view"), rows.get_oid(i, "owner"), rows.get_oid(i, "object")});
  return reads;
}

std::vector<Oid> oids_of(const pg::Rows& rows) {
  std::vector<Oid> oids;
  for (std::size_t i = 0; i < rows.size(); ++i) oids.push_back(rows.get_oid(i, "oid"));
  return oids;
}

}  // namespace

std::vector<RuleRead> functions_in_rules(pg::Spi& spi, const std::vector<Oid>& views) {
  return read(
      spi,
      PARTS
      " SELECT DISTINCT p.view, v.relowner AS owner, coalesce(f.oid, o.oprcode::oid) AS object"
      " FROM part p" NAMED
      " LEFT JOIN pg_catalog.pg_proc f ON d.refclassid = 'pg_catalog.pg_proc'::regclass"
      "  AND f.oid = d.refobjid"
      " LEFT JOIN pg_catalog.pg_operator o"
      "  ON d.refclassid = 'pg_catalog.pg_operator'::regclass AND o.oid = d.refobjid"
      // 16384 is the first oid of objects that are not part of the server.
      " WHERE coalesce(f.oid, o.oprcode::oid) >= '16384'::oid ORDER BY view, object",
      views);
}

std::vector<RuleRead> relations_in_rules(pg::Spi& spi, const std::vector<Oid>& views) {
  return read(spi,
              PARTS
              " SELECT DISTINCT p.view, v.relowner AS owner, c.oid AS object FROM part p" NAMED
              "  AND d.refclassid = 'pg_catalog.pg_class'::regclass"
              " JOIN pg_catalog.pg_class c ON c.oid = d.refobjid AND c.relkind <> 'v'"
              " WHERE c.oid <> p.oid ORDER BY view, object",
              views);
}

std::vector<Oid> views_with_functions(pg::Spi& spi) {
  std::vector<Oid> all =
      oids_of(spi.query("SELECT oid FROM pg_catalog.pg_class WHERE relkind = 'm' ORDER BY oid"));
  std::vector<Oid> found;
  for (const RuleRead& named : functions_in_rules(spi, all))
    if (found.empty() || found.back() != named.view) found.push_back(named.view);
  return found;
}

std::vector<Oid> with_children(pg::Spi& spi, const std::vector<Oid>& relations) {
  const std::vector<std::int64_t> oids(relations.begin(), relations.end());
  return oids_of(spi.query(
      "WITH RECURSIVE tree AS (SELECT r AS oid FROM unnest($1::int8[]::oid[]) r UNION"
      "  SELECT i.inhrelid FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid)"
      " SELECT c.oid FROM tree t JOIN pg_catalog.pg_class c ON c.oid = t.oid"
      " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace ORDER BY n.nspname, c.relname",
      {pg::Param::array(oids)}));
}

}  // namespace metrics_refresh::store
