// Reads functions from the catalogs. One query for each name returns everything that is needed to
// build a replacement and to restore the function.
#include "store/adoption/old_functions.hpp"

namespace metrics_refresh::store {
namespace {

OldFunction read_function(const pg::Rows& rows, std::size_t row) {
  OldFunction function;
  function.oid = rows.get_oid(row, 1);
  function.name = rows.get_text(row, 2);
  function.signature = rows.get_text(row, 3);
  function.arguments = rows.get_text(row, 4);
  function.result = rows.get_text(row, 5);
  function.argument_count = rows.get_int64(row, 6);
  function.first_argument = rows.get_oid(row, 7);
  function.result_type = rows.get_oid(row, 8);
  function.result_type_name = rows.get_text(row, 9);
  function.returns_set = rows.get_bool(row, 10);
  function.is_function = rows.get_bool(row, 11);
  function.is_member = rows.get_bool(row, 12);
  function.is_definer = rows.get_bool(row, 13);
  function.is_volatile = rows.get_bool(row, 14);
  function.is_sql = rows.get_bool(row, 15);
  function.owner = rows.get_oid(row, 16);
  function.source = rows.get_text(row, 17);
  function.definition = rows.get_text(row, 18);
  function.dependents = rows.get_text_array(row, 19);
  function.extensions = rows.get_text_array(row, 20);
  return function;
}

std::vector<OldFunction::Column> columns_of(pg::Spi& spi, Oid function) {
  const pg::Rows rows = spi.query(
      "SELECT coalesce(p.proargnames[a.n], ''), a.type, format_type(a.type, NULL)"
      " FROM pg_proc p, unnest(p.proallargtypes) WITH ORDINALITY a (type, n)"
      " WHERE p.oid = $1 AND p.proargmodes[a.n] IN ('o', 'b', 't') ORDER BY a.n",
      {pg::Param::oid(function)});
  std::vector<OldFunction::Column> columns;
  for (std::size_t i = 0; i < rows.size(); ++i)
    columns.push_back({rows.get_text(i, 1), rows.get_oid(i, 2), rows.get_text(i, 3)});
  return columns;
}

}  // namespace

std::vector<OldFunction> functions_named(pg::Spi& spi, Oid schema, const std::string& name) {
  const pg::Rows rows = spi.query(
      "SELECT p.oid, p.proname::text, p.oid::regprocedure::text, pg_get_function_arguments(p.oid),"
      " coalesce(pg_get_function_result(p.oid), ''), p.pronargs::bigint,"
      " coalesce(p.proargtypes[0], '0'::oid), p.prorettype, format_type(p.prorettype, NULL),"
      " p.proretset, p.prokind = 'f',"
      " EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid"
      "  AND d.deptype = 'e'),"
      " p.prosecdef, p.provolatile = 'v', l.lanname = 'sql', p.proowner, coalesce(p.prosrc, ''),"
      // pg_get_functiondef() raises an error for aggregates.
      " CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) ELSE '' END,"
      // A dependency of a view is recorded for its rule. The view is described instead.
      " ARRAY (SELECT DISTINCT pg_describe_object(coalesce(r.class, d.classid), "
      "coalesce(r.ev_class,"
      "   d.objid), 0) FROM pg_depend d LEFT JOIN (SELECT oid, ev_class, 'pg_class'::regclass::oid"
      "   AS class FROM pg_rewrite) r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid"
      "  WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid = p.oid AND d.deptype = 'n'),"
      " ARRAY (SELECT quote_ident(e.extname) FROM pg_depend d JOIN pg_extension e"
      "  ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid"
      "  WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'x')"
      " FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang"
      " WHERE p.pronamespace = $1 AND p.proname = $2 ORDER BY 3",
      {pg::Param::oid(schema), name});
  std::vector<OldFunction> functions;
  for (std::size_t i = 0; i < rows.size(); ++i) functions.push_back(read_function(rows, i));
  for (OldFunction& function : functions) function.columns = columns_of(spi, function.oid);
  return functions;
}

}  // namespace metrics_refresh::store
