// Reads a hand-written log from the catalogs: its columns, the objects that belong to it, and the
// objects that depend on it. The result decides whether the table can be replaced and what the new
// view must provide.
#include "store/adoption/old_log.hpp"

#include <cstring>

#include "pg/quote.hpp"

namespace metrics_refresh::store {
namespace {

using pg::Param;

std::vector<std::string> texts(const pg::Rows& rows, const char* column) {
  std::vector<std::string> values;
  for (std::size_t i = 0; i < rows.size(); ++i) values.push_back(rows.get_text(i, column));
  return values;
}

std::vector<Oid> oids(const pg::Rows& rows) {
  std::vector<Oid> values;
  for (std::size_t i = 0; i < rows.size(); ++i) values.push_back(rows.get_oid(i, "oid"));
  return values;
}

// The allowed words of a column are the labels of its enum type, or the constants in a check
// constraint on this column alone.
void read_columns(pg::Spi& spi, OldLog& log) {
  const pg::Rows rows = spi.query(
      "SELECT a.attname::text AS name, a.atttypid AS type,"
      " format_type(a.atttypid, a.atttypmod) AS type_name,"
      " CASE WHEN a.attcollation <> 0 THEN a.attcollation::regcollation::text ELSE '' END"
      " AS collation, a.attnotnull AS not_null,"
      " CASE WHEN t.typtype = 'e' THEN ARRAY (SELECT e.enumlabel::text FROM pg_enum e"
      "   WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder)"
      "  ELSE ARRAY (SELECT DISTINCT m[1] FROM pg_constraint c,"
      "   regexp_matches(pg_get_constraintdef(c.oid), '''([^'']*)''', 'g') m"
      "   WHERE c.conrelid = a.attrelid AND c.contype = 'c' AND c.conkey = ARRAY[a.attnum]) END"
      " AS words"
      " FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
      " WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
      {Param::oid(log.oid)});
  for (std::size_t i = 0; i < rows.size(); ++i)
    log.columns.push_back({rows.get_text(i, "name"), rows.get_oid(i, "type"),
                           rows.get_text(i, "type_name"), rows.get_text(i, "collation"),
                           rows.get_bool(i, "not_null"), rows.get_text_array(i, "words")});
}

void read_policies(pg::Spi& spi, OldLog& log) {
  const pg::Rows rows = spi.query(
      "SELECT p.polpermissive AS permissive, coalesce((SELECT"
      "  string_agg(quote_literal(r.rolname), ', ' ORDER BY r.rolname)"
      "  FROM pg_roles r WHERE r.oid = ANY (p.polroles)), '') AS roles,"
      " coalesce(pg_get_expr(p.polqual, p.polrelid), '') AS condition"
      " FROM pg_policy p WHERE p.polrelid = $1 AND p.polcmd IN ('r', '*') ORDER BY p.polname",
      {Param::oid(log.oid)});
  for (std::size_t i = 0; i < rows.size(); ++i)
    log.policies.push_back(
        {rows.get_bool(i, "permissive"), rows.get_text(i, "roles"), rows.get_text(i, "condition")});
}

// Only SELECT: the view cannot be written. Roles that were dropped are left out.
void read_grants(pg::Spi& spi, OldLog& log) {
  log.grants = texts(
      spi.query(
          "SELECT format('GRANT SELECT%s ON %s TO %s%s', g.columns, $3,"
          "  CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee))"
          "  END, CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) AS statement"
          " FROM (SELECT '' AS columns, a.grantee, a.is_grantable, a.privilege_type"
          "   FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = $1"
          "  UNION ALL SELECT format(' (%s)', string_agg(quote_ident(t.attname), ', '"
          "    ORDER BY t.attnum)), a.grantee, a.is_grantable, a.privilege_type"
          "   FROM pg_attribute t, aclexplode(t.attacl) a WHERE t.attrelid = $1"
          "    AND t.attnum > 0 GROUP BY 2, 3, 4) g"
          " WHERE g.privilege_type = 'SELECT' AND g.grantee <> $2"
          "  AND (g.grantee = 0 OR g.grantee IN (SELECT oid FROM pg_roles))"
          " ORDER BY statement",
          {Param::oid(log.oid), Param::oid(log.owner), pg::qualified(log.schema, log.name)}),
      "statement");
}

// Views depend on the table through their rewrite rules. Other objects may depend on its row type
// or on the array of it. The table's own policies, constraints, triggers and indexes do not count,
// and functions that are replaced do not count either.
void read_dependents(pg::Spi& spi, OldLog& log, const std::string& replaced) {
  const pg::Rows rows = spi.query(
      "WITH found AS ("
      " SELECT DISTINCT coalesce('pg_class'::regclass::oid, 0) AS as_class, d.classid, d.objid,"
      "  r.ev_class, r.rulename = '_RETURN' AS is_view"
      "  FROM pg_class t JOIN pg_depend d ON d.deptype = 'n' AND d.objid <> t.oid"
      "   AND (d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid"
      "    OR d.refclassid = 'pg_type'::regclass AND d.refobjid IN (t.reltype,"
      "     (SELECT y.typarray FROM pg_type y WHERE y.oid = t.reltype)) AND d.refobjid <> 0)"
      "  LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid"
      "  WHERE t.oid = $1)"
      " SELECT DISTINCT pg_describe_object(CASE WHEN f.ev_class IS NULL THEN f.classid"
      "   ELSE f.as_class END, coalesce(f.ev_class, f.objid), 0) AS description,"
      "  CASE WHEN c.relkind = 'v' AND c.relpersistence = 'p' AND f.is_view"
      "   THEN c.oid::regclass::text ELSE '' END AS view,"
      "  coalesce(array_to_string(c.reloptions, ', '), '') AS options,"
      "  CASE WHEN c.relkind = 'v' THEN pg_get_viewdef(c.oid) ELSE '' END AS definition,"
      "  coalesce(c.relowner, '0'::oid) AS owner, coalesce(c.oid, '0'::oid) AS oid,"
      "  coalesce(c.relnamespace::regnamespace::text, '') AS schema"
      " FROM found f LEFT JOIN pg_class c ON c.oid = f.ev_class"
      " WHERE f.ev_class IS DISTINCT FROM $1 AND NOT (f.classid = 'pg_policy'::regclass AND EXISTS "
      "(SELECT FROM pg_policy p"
      "   WHERE p.oid = f.objid AND p.polrelid = $1))"
      "  AND NOT (f.classid = 'pg_constraint'::regclass AND EXISTS (SELECT FROM pg_constraint k"
      "   WHERE k.oid = f.objid AND k.conrelid = $1))"
      "  AND NOT (f.classid = 'pg_proc'::regclass AND f.objid = ANY ($2::oid[]))"
      "  AND NOT f.classid IN ('pg_class'::regclass, 'pg_trigger'::regclass)"
      " ORDER BY description",
      {Param::oid(log.oid), Param(replaced)});
  for (std::size_t i = 0; i < rows.size(); ++i)
    log.dependents.push_back({rows.get_text(i, "description"), rows.get_text(i, "view"),
                              rows.get_text(i, "schema"), rows.get_text(i, "options"),
                              rows.get_text(i, "definition"), rows.get_oid(i, "owner"),
                              rows.get_oid(i, "oid")});
}

// Escapes a name for a regular expression.
std::string escaped(const std::string& name) {
  std::string text;
  for (const char c : name) {
    if (std::strchr("\\^$.[]|()?*+{}", c) != nullptr) text += '\\';
    text += c;
  }
  return text;
}

// A pattern for a name, either plain or in double quotes.
std::string pattern_of(const std::string& name) {
  std::string quoted;
  for (const char c : name) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return "(\"" + escaped(quoted) + "\"|\\m" + escaped(name) + "\\M)";
}

// A guess from the text of functions: the catalogs do not record these dependencies. An unqualified
// name counts in functions of the same schema only.
void read_writers(pg::Spi& spi, OldLog& log, const std::string& replaced) {
  const std::string qualified = pattern_of(log.schema) + "\\s*\\.\\s*" + pattern_of(log.name);
  log.writers = texts(
      spi.query("SELECT p.oid::regprocedure::text AS signature FROM pg_proc p"
                " WHERE p.oid <> ALL ($3::oid[]) AND (p.prosrc ~* ($4 || $1)"
                "  OR p.pronamespace = $5 AND p.prosrc ~* ($4 || $2))"
                " AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass"
                "  AND d.objid = p.oid AND d.deptype = 'e') ORDER BY signature",
                {qualified, pattern_of(log.name), replaced,
                 "\\m(into|update|delete\\s+from|truncate|truncate\\s+table)\\s+(only\\s+)?",
                 Param::oid(log.schema_oid)}),
      "signature");
}

void read_watchers(pg::Spi& spi, OldLog& log) {
  log.triggers =
      texts(spi.query("SELECT quote_ident(tgname) AS name FROM pg_trigger WHERE tgrelid = $1"
                      " AND NOT tgisinternal ORDER BY name",
                      {Param::oid(log.oid)}),
            "name");
  log.rules =
      texts(spi.query("SELECT quote_ident(rulename) AS name FROM pg_rewrite WHERE ev_class = $1"
                      " ORDER BY name",
                      {Param::oid(log.oid)}),
            "name");
  log.publications = texts(
      spi.query(
          "SELECT quote_ident(p.pubname) AS name FROM pg_publication_rel r JOIN pg_publication p"
          " ON p.oid = r.prpubid WHERE r.prrelid = $1 ORDER BY name",
          {Param::oid(log.oid)}),
      "name");
}

std::string array_of(const std::vector<Oid>& oids) {
  std::string text;
  for (const Oid oid : oids) core::append_item(text, std::to_string(oid), ",");
  return "{" + text + "}";
}

}  // namespace

std::optional<OldLog> read_old_log(pg::Spi& spi, const std::string& schema, const std::string& name,
                                   const std::vector<Oid>& replaced) {
  OldLog log;
  {
    const pg::Rows rows = spi.query(
        "SELECT c.oid, c.relkind::text AS kind, c.relowner AS owner,"
        " pg_get_userbyid(c.relowner)::text AS owner_name,"
        " c.relrowsecurity AS has_policies, c.relforcerowsecurity AS is_forced,"
        " EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass"
        "  AND d.objid = c.oid AND d.deptype = 'e') AS is_member,"
        " EXISTS (SELECT FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass"
        "  AND d.objid = r.oid WHERE r.ev_class = c.oid"
        "  AND d.refobjid = 'metrics_refresh.run_log'::regclass) AS reads_log,"
        " c.relnamespace AS schema_oid,"
        " has_schema_privilege(c.relowner, c.relnamespace, 'CREATE') AS owner_may_create,"
        " c.relrowsecurity AND c.relforcerowsecurity AND NOT EXISTS (SELECT FROM pg_roles r"
        "  WHERE r.oid = c.relowner AND (r.rolsuper OR r.rolbypassrls)) AS is_bound"
        " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = $1 AND c.relname = $2",
        {schema, name});
    if (rows.empty()) return std::nullopt;
    log.oid = rows.get_oid(0, "oid");
    log.kind = rows.get_text(0, "kind")[0];
    log.owner = rows.get_oid(0, "owner");
    log.owner_name = rows.get_text(0, "owner_name");
    log.has_policies = rows.get_bool(0, "has_policies");
    log.is_forced = rows.get_bool(0, "is_forced");
    log.is_member = rows.get_bool(0, "is_member");
    log.reads_log = rows.get_bool(0, "reads_log");
    log.schema_oid = rows.get_oid(0, "schema_oid");
    log.owner_may_create = rows.get_bool(0, "owner_may_create");
    log.is_bound = rows.get_bool(0, "is_bound");
  }
  log.schema = schema;
  log.name = name;
  const std::string gone = array_of(replaced);
  read_columns(spi, log);
  read_policies(spi, log);
  read_grants(spi, log);
  read_dependents(spi, log, gone);
  read_writers(spi, log, gone);
  read_watchers(spi, log);
  return log;
}

std::string foreign_type(pg::Spi& spi, const char* catalog, const std::vector<Oid>& objects,
                         Oid owner) {
  const pg::Rows rows = spi.query(
      // All types that are parts of a type count as well: elements, base types of domains, columns
      // of composite types, and subtypes of ranges.
      "WITH RECURSIVE found AS (SELECT d.refobjid AS oid FROM pg_depend d"
      "  WHERE d.classid = $1::text::regclass AND d.objid = ANY ($2::oid[]) AND d.refclassid = "
      "'pg_type'::regclass"
      " UNION SELECT n.oid FROM found f JOIN pg_type t ON t.oid = f.oid, LATERAL ("
      "  SELECT t.typelem AS oid UNION ALL SELECT t.typbasetype"
      "  UNION ALL SELECT a.atttypid FROM pg_attribute a WHERE a.attrelid = t.typrelid"
      "   AND t.typrelid <> 0 AND a.attnum > 0 AND NOT a.attisdropped"
      "  UNION ALL SELECT r.rngsubtype FROM pg_range r WHERE t.oid IN (r.rngtypid, r.rngmultitypid)"
      "  ) n WHERE n.oid <> 0)"
      " SELECT format('type %s of role %s', t.oid::regtype, r.rolname) AS type"
      " FROM found f JOIN pg_type t ON t.oid = f.oid JOIN pg_namespace n ON n.oid = t.typnamespace"
      " JOIN pg_roles r ON r.oid = t.typowner OR r.oid = CASE WHEN n.nspowner ="
      "  'pg_database_owner'::regrole THEN (SELECT datdba FROM pg_database"
      "   WHERE datname = current_database()) ELSE n.nspowner END"
      " WHERE r.oid <> $3 AND NOT r.rolsuper ORDER BY type LIMIT 1",
      {catalog, array_of(objects), Param::oid(owner)});
  return rows.empty() ? std::string() : rows.get_text(0, "type");
}

std::vector<Oid> rules_of(pg::Spi& spi, Oid relation) {
  return oids(spi.query("SELECT oid FROM pg_rewrite WHERE ev_class = $1 AND rulename = '_RETURN'",
                        {Param::oid(relation)}));
}

std::vector<Oid> policies_of(pg::Spi& spi, Oid relation) {
  return oids(spi.query("SELECT oid FROM pg_policy WHERE polrelid = $1", {Param::oid(relation)}));
}

}  // namespace metrics_refresh::store
