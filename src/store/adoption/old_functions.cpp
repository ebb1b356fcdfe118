// Reads functions from the catalogs. One query for each name returns everything that is needed to
// build a replacement and to restore the function.
#include "store/adoption/old_functions.hpp"

namespace metrics_refresh::store {
namespace {

OldFunction read_function(const pg::Rows& rows, std::size_t row) {
  OldFunction function;
  function.oid = rows.get_oid(row, "oid");
  function.name = rows.get_text(row, "name");
  function.signature = rows.get_text(row, "signature");
  function.arguments = rows.get_text(row, "arguments");
  function.result = rows.get_text(row, "result");
  function.argument_count = rows.get_int64(row, "argument_count");
  function.first_argument = rows.get_oid(row, "first_argument");
  function.result_type = rows.get_oid(row, "result_type");
  function.result_type_name = rows.get_text(row, "result_type_name");
  function.returns_set = rows.get_bool(row, "returns_set");
  function.is_function = rows.get_bool(row, "is_function");
  function.is_member = rows.get_bool(row, "is_member");
  function.is_definer = rows.get_bool(row, "is_definer");
  function.is_volatile = rows.get_bool(row, "is_volatile");
  function.is_sql = rows.get_bool(row, "is_sql");
  function.owner = rows.get_oid(row, "owner");
  function.source = rows.get_text(row, "source");
  function.definition = rows.get_text(row, "definition");
  function.dependents = rows.get_text_array(row, "dependents");
  function.extensions = rows.get_text_array(row, "extensions");
  return function;
}

std::vector<OldFunction::Column> columns_of(pg::Spi& spi, Oid function) {
  const pg::Rows rows = spi.query(
      "SELECT coalesce(p.proargnames[a.n], '') AS name, a.type,"
      " format_type(a.type, NULL) AS type_name"
      " FROM pg_proc p, unnest(p.proallargtypes) WITH ORDINALITY a (type, n)"
      " WHERE p.oid = $1 AND p.proargmodes[a.n] IN ('o', 'b', 't') ORDER BY a.n",
      {pg::Param::oid(function)});
  std::vector<OldFunction::Column> columns;
  for (std::size_t i = 0; i < rows.size(); ++i)
    columns.push_back(
        {rows.get_text(i, "name"), rows.get_oid(i, "type"), rows.get_text(i, "type_name")});
  return columns;
}

}  // namespace

std::vector<OldFunction> functions_named(pg::Spi& spi, Oid schema, const std::string& name) {
  const pg::Rows rows = spi.query(
      "SELECT p.oid, p.proname::text AS name, p.oid::regprocedure::text AS signature,"
      " pg_get_function_arguments(p.oid) AS arguments,"
      " coalesce(pg_get_function_result(p.oid), '') AS result,"
      " p.pronargs::bigint AS argument_count,"
      " coalesce(p.proargtypes[0], '0'::oid) AS first_argument, p.prorettype AS result_type,"
      " format_type(p.prorettype, NULL) AS result_type_name, p.proretset AS returns_set,"
      " p.prokind = 'f' AS is_function,"
      " EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid"
      "  AND d.deptype = 'e') AS is_member,"
      " p.prosecdef AS is_definer, p.provolatile = 'v' AS is_volatile, l.lanname = 'sql' AS is_sql,"
      " p.proowner AS owner, coalesce(p.prosrc, '') AS source,"
      // pg_get_functiondef() raises an error for aggregates.
      " CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) ELSE '' END AS definition,"
      // A dependency of a view is recorded for its rule. The view is described instead.
      " ARRAY (SELECT DISTINCT pg_describe_object(coalesce(r.class, d.classid),"
      "   coalesce(r.ev_class, d.objid), 0) FROM pg_depend d"
      "  LEFT JOIN (SELECT oid, ev_class, 'pg_class'::regclass::oid AS class FROM pg_rewrite) r"
      "   ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid"
      "  WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid = p.oid AND d.deptype = 'n')"
      " AS dependents,"
      " ARRAY (SELECT quote_ident(e.extname) FROM pg_depend d JOIN pg_extension e"
      "  ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid"
      "  WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'x')"
      " AS extensions"
      " FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang"
      " WHERE p.pronamespace = $1 AND p.proname = $2 ORDER BY signature",
      {pg::Param::oid(schema), name});
  std::vector<OldFunction> functions;
  for (std::size_t i = 0; i < rows.size(); ++i) functions.push_back(read_function(rows, i));
  for (OldFunction& function : functions) function.columns = columns_of(spi, function.oid);
  return functions;
}

}  // namespace metrics_refresh::store
