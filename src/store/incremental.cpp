#include "store/incremental.hpp"

#include "store/job_changes.hpp"

namespace metrics_refresh::store {

using pg::Param;

namespace {

Param text_or_null(const std::string& text) {
  return text.empty() ? Param::null(TEXTOID) : Param(text);
}

// One that is gone may have had the name.
void forget_namesakes(pg::Spi& spi, Oid view, const std::string& schema, const std::string& name) {
  spi.query(
      "WITH gone AS (DELETE FROM metrics_refresh_internal.incremental_view WHERE id = ANY (ARRAY("
      "  SELECT id FROM metrics_refresh_internal.incremental_view i"
      "   WHERE view_schema = $2 AND view_name = $3 AND view_oid <> 0 AND view_oid <> $1"
      "   AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = i.view_oid)"
      "   FOR UPDATE SKIP LOCKED)) RETURNING id)"
      " INSERT INTO metrics_refresh_internal.incremental_leftover SELECT id FROM gone",
      {Param::oid(view), schema, name});
}

// A role that a job belongs to has the rights over the view c.
#if PG_VERSION_NUM >= 170000
#define OWNER_MAY_REFRESH                                     \
  "(pg_catalog.pg_has_role(j.owner_oid, c.relowner, 'USAGE')" \
  " OR pg_catalog.has_table_privilege(j.owner_oid, c.oid, 'MAINTAIN'))"
#else
#define OWNER_MAY_REFRESH "pg_catalog.pg_has_role(j.owner_oid, c.relowner, 'USAGE')"
#endif

}  // namespace

// A dump's rows come before a view that groups by a primary key: then they are bound to none, and
// are known by the name.
std::optional<IncrementalView> find_incremental(pg::Spi& spi, Oid view, Reads reads) {
  const pg::Rows rows =
      spi.query(std::string("SELECT id, fingerprint, refreshed_as_of, coalesce(rows_total, 0),"
                            " runs_since_audit::int8,") +
                    " demoted, uncaptured, view_schema, view_name FROM " +
                    read_name(reads, "incremental_view") +
                    " WHERE view_oid = $1 OR view_oid "
                    "= 0"
                    " AND EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n"
                    "  ON n.oid = c.relnamespace WHERE c.oid = $1 AND n.nspname = view_schema"
                    "  AND c.relname = view_name)",
                {Param::oid(view)});
  if (rows.empty()) return std::nullopt;
  IncrementalView record;
  record.id = rows.get_int64(0, 1);
  record.view = view;
  record.fingerprint = rows.get_text_or_null(0, 2).value_or("");
  record.as_of = rows.get_instant_or_null(0, 3);
  record.rows = rows.get_int64(0, 4);
  record.runs = static_cast<int>(rows.get_int64(0, 5));
  record.demoted = rows.get_text_or_null(0, 6).value_or("");
  record.uncaptured = rows.get_text_or_null(0, 7).value_or("");
  record.schema = rows.get_text(0, 8);
  record.name = rows.get_text(0, 9);
  return record;
}

IncrementalView insert_incremental(pg::Spi& spi, Oid view, const std::string& schema,
                                   const std::string& name) {
  IncrementalView record;
  record.view = view;
  record.schema = schema;
  record.name = name;
  forget_namesakes(spi, view, schema, name);
  // What is left is somebody's who is about to remove it: the unique index would wait for him. Or
  // its view was renamed, which its next refresh writes down.
  if (!spi.query("SELECT FROM metrics_refresh_internal.incremental_view WHERE view_schema = $1"
                 " AND view_name = $2",
                 {schema, name})
           .empty())
    throw pg::SqlError(ERRCODE_LOCK_NOT_AVAILABLE,
                       "materialized view \"" + name + "\" cannot be set up now",
                       "Try again later.",
                       "An earlier one of this name is being removed, or has just been renamed.");
  record.id = spi.query(
                     "INSERT INTO metrics_refresh_internal.incremental_view (view_schema, "
                     "view_name, view_oid)"
                     " VALUES ($1, $2, $3) RETURNING id",
                     {schema, name, Param::oid(view)})
                  .get_int64(0, 1);
  return record;
}

void update_incremental(pg::Spi& spi, const IncrementalView& record, const std::string& schema,
                        const std::string& name) {
  if (schema != record.schema || name != record.name)
    forget_namesakes(spi, record.view, schema, name);
  spi.query(
      "UPDATE metrics_refresh_internal.incremental_view SET view_schema = $2, view_name = $3, "
      "view_oid = "
      "$4, fingerprint = $5,"
      " refreshed_as_of = $6, rows_total = $7, runs_since_audit = $8, demoted = $9,"
      " uncaptured = $10,"
      " demoted_at = CASE WHEN $9 IS NULL THEN NULL ELSE coalesce(demoted_at, now()) END WHERE id "
      "= $1",
      {record.id, schema, name, Param::oid(record.view), text_or_null(record.fingerprint),
       Param::nullable(record.as_of, TIMESTAMPTZOID), record.rows, record.runs,
       text_or_null(record.demoted), text_or_null(record.uncaptured)});
}

void insert_parent(pg::Spi& spi, std::int64_t id, const std::string& delta, Datum columns,
                   const std::string& schema, const std::string& name) {
  spi.query(
      "INSERT INTO metrics_refresh_internal.incremental_parent"
      " (delta, columns, view_schema, view_name, view_oid, id) VALUES ($1, $2, $3, $4, 0, $5)",
      {delta, Param(TEXTARRAYOID, columns), schema, name, id});
}

void dismiss_incremental(pg::Spi& spi, std::int64_t id) {
  spi.query("DELETE FROM metrics_refresh_internal.incremental_view WHERE id = $1", {id});
  spi.query("INSERT INTO metrics_refresh_internal.incremental_leftover VALUES ($1)", {id});
  note_leftovers();
}

void suspect_incremental(pg::Spi& spi, Oid view) {
  spi.query(
      "INSERT INTO metrics_refresh_internal.incremental_leftover"
      " SELECT id FROM metrics_refresh_internal.incremental_view WHERE view_oid = $1",
      {Param::oid(view)});
  note_leftovers();
}

void suspect_number(pg::Spi& spi, std::int64_t id) {
  spi.query("INSERT INTO metrics_refresh_internal.incremental_leftover VALUES ($1)", {id});
  note_leftovers();
}

std::vector<std::int64_t> incremental_leftovers(pg::Spi& spi) {
  const pg::Rows rows = spi.query(
      "SELECT id FROM metrics_refresh_internal.incremental_leftover"
      " UNION SELECT id FROM metrics_refresh_internal.incremental_view i WHERE view_oid <> 0"
      "  AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c"
      "   WHERE c.oid = i.view_oid AND c.relkind = 'm')");
  std::vector<std::int64_t> ids;
  for (std::size_t i = 0; i < rows.size(); ++i) ids.push_back(rows.get_int64(i, 1));
  return ids;
}

LeftoverState leftover_state(pg::Spi& spi, std::int64_t id) {
  const pg::Rows rows = spi.query(
      "SELECT i.view_oid, EXISTS (SELECT FROM pg_catalog.pg_class c"
      "  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
      "  JOIN metrics_refresh_internal.job j ON j.strategy = 'incremental' AND " OWNER_MAY_REFRESH
      "  WHERE c.oid = i.view_oid AND c.relkind = 'm'"
      "  AND (j.view_schema = n.nspname AND j.view_name = c.relname OR j.view_oid = c.oid"
      "   OR j.group_schema = n.nspname"
      "   OR EXISTS (SELECT FROM metrics_refresh_internal.job_member m WHERE m.job_id = j.job_id"
      "    AND (m.view_schema = n.nspname AND m.view_name = c.relname OR m.view_oid = c.oid))))"
      " FROM metrics_refresh_internal.incremental_view i WHERE i.id = $1",
      {id});
  if (rows.empty()) return {};
  return {rows.get_oid(0, 1), rows.get_bool(0, 2)};
}

bool try_dismiss_incremental(pg::Spi& spi, std::int64_t id) {
  return !spi.query(
                 "WITH gone AS (DELETE FROM metrics_refresh_internal.incremental_view WHERE id ="
                 "  (SELECT id FROM metrics_refresh_internal.incremental_view WHERE id = $1"
                 "   FOR UPDATE SKIP LOCKED) RETURNING id)"
                 " INSERT INTO metrics_refresh_internal.incremental_leftover SELECT id FROM gone"
                 " RETURNING id",
                 {id})
              .empty();
}

void forget_repeats(pg::Spi& spi, std::int64_t id) {
  spi.query(
      "DELETE FROM metrics_refresh_internal.incremental_leftover WHERE ctid = ANY (ARRAY("
      " SELECT ctid FROM metrics_refresh_internal.incremental_leftover WHERE id = $1"
      "  OFFSET 1 FOR UPDATE SKIP LOCKED))",
      {id});
}

void forget_leftover(pg::Spi& spi, std::int64_t id) {
  spi.query(
      "DELETE FROM metrics_refresh_internal.incremental_leftover WHERE ctid IN"
      " (SELECT ctid FROM metrics_refresh_internal.incremental_leftover WHERE id = $1"
      "  FOR UPDATE SKIP LOCKED)",
      {id});
}

}  // namespace metrics_refresh::store
