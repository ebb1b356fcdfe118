// Queries of the tables incremental_view, incremental_parent and incremental_leftover.
//
// incremental_view has one row for each view that was set up. If a view is dropped, or if no job
// wants it any more, its delta tables and triggers are left over. The number of the view then goes
// into incremental_leftover, and the scheduler removes these objects later
// (engine/incremental/setup/sweep.hpp). A row here may therefore outlive its view, and an object
// may outlive its row.
#include "store/incremental.hpp"

#include "pg/compat.hpp"
#include "store/job_changes.hpp"
#include "store/words.hpp"

namespace metrics_refresh::store {

using pg::Param;

namespace {

// A view that was dropped may have had this name. The unique index on the name would reject the new
// row, so the old row is replaced by an entry in incremental_leftover. Rows that another session
// holds are skipped, because nothing here waits for locks.
void delete_stale_namesakes(pg::Spi& spi, Oid view, const std::string& schema,
                            const std::string& name) {
  spi.query(
      "WITH gone AS (DELETE FROM metrics_refresh_internal.incremental_view WHERE id = ANY (ARRAY("
      "  SELECT id FROM metrics_refresh_internal.incremental_view i"
      "   WHERE view_schema = $2 AND view_name = $3 AND view_oid <> 0 AND view_oid <> $1"
      "   AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = i.view_oid)"
      "   FOR UPDATE SKIP LOCKED)) RETURNING id, owner_oid)"
      " INSERT INTO metrics_refresh_internal.incremental_leftover SELECT id, owner_oid FROM gone",
      {Param::oid(view), schema, name});
}

// True if the owner of job j has the rights to refresh view c. MAINTAIN exists since PostgreSQL 17.
constexpr const char* kOwnerMayRefresh =
    pg::kHasMaintain ? "(pg_catalog.pg_has_role(j.owner_oid, c.relowner, 'USAGE')"
                       " OR pg_catalog.has_table_privilege(j.owner_oid, c.oid, 'MAINTAIN'))"
                     : "pg_catalog.pg_has_role(j.owner_oid, c.relowner, 'USAGE')";

}  // namespace

// A restore inserts rows before it creates views that group by a primary key. The oid of such a row
// is 0, and the row is found by name.
std::optional<IncrementalView> find_incremental(pg::Spi& spi, Oid view, Reads reads) {
  const pg::Rows rows =
      spi.query(std::string("SELECT id, fingerprint, refreshed_as_of,"
                            " coalesce(rows_total, 0) AS rows_total, runs_since_audit::int8,") +
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
  record.id = rows.get_int64(0, "id");
  record.view = view;
  record.fingerprint = rows.get_text_or_empty(0, "fingerprint");
  record.as_of = rows.get_instant_or_null(0, "refreshed_as_of");
  record.rows = rows.get_int64(0, "rows_total");
  record.runs = static_cast<int>(rows.get_int64(0, "runs_since_audit"));
  record.demoted = rows.get_text_or_empty(0, "demoted");
  record.uncaptured = rows.get_text_or_empty(0, "uncaptured");
  record.schema = rows.get_text(0, "view_schema");
  record.name = rows.get_text(0, "view_name");
  return record;
}

IncrementalView insert_incremental(pg::Spi& spi, Oid view, const std::string& schema,
                                   const std::string& name) {
  IncrementalView record;
  record.view = view;
  record.schema = schema;
  record.name = name;
  delete_stale_namesakes(spi, view, schema, name);
  // A remaining row belongs to a session that is about to delete it, and the unique index would
  // wait for that session. Or its view was renamed, and the next refresh of that view stores the
  // new name.
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
                  .get_int64(0, "id");
  return record;
}

void update_incremental(pg::Spi& spi, const IncrementalView& record, const std::string& schema,
                        const std::string& name) {
  if (schema != record.schema || name != record.name)
    delete_stale_namesakes(spi, record.view, schema, name);
  spi.query(
      "UPDATE metrics_refresh_internal.incremental_view SET view_schema = $2, view_name = $3, "
      "view_oid = "
      "$4, fingerprint = $5,"
      " refreshed_as_of = $6, rows_total = $7, runs_since_audit = $8, demoted = $9,"
      " uncaptured = $10,"
      " demoted_at = CASE WHEN $9 IS NULL THEN NULL ELSE coalesce(demoted_at, now()) END WHERE id "
      "= $1",
      {record.id, schema, name, Param::oid(record.view), Param::text_or_null(record.fingerprint),
       Param::nullable(record.as_of, TIMESTAMPTZOID), record.rows, record.runs,
       Param::text_or_null(record.demoted), Param::text_or_null(record.uncaptured)});
}

// view_oid is 0 here; the trigger before_write looks the oid up by name.
void insert_parent(pg::Spi& spi, std::int64_t id, const std::string& delta, Datum columns,
                   const std::string& schema, const std::string& name) {
  spi.query(
      "INSERT INTO metrics_refresh_internal.incremental_parent"
      " (delta, columns, view_schema, view_name, view_oid, id) VALUES ($1, $2, $3, $4, 0, $5)",
      {delta, Param(TEXTARRAYOID, columns), schema, name, id});
}

// The number is queued in the same transaction that deletes the row. A crash between the two would
// leave triggers that nothing refers to.
void delete_incremental(pg::Spi& spi, std::int64_t id) {
  spi.query(
      "WITH gone AS (DELETE FROM metrics_refresh_internal.incremental_view WHERE id = $1"
      "  RETURNING id, owner_oid)"
      " INSERT INTO metrics_refresh_internal.incremental_leftover SELECT id, owner_oid FROM gone",
      {id});
  note_leftovers();
}

void queue_sweep_of_view(pg::Spi& spi, Oid view) {
  spi.query(
      "INSERT INTO metrics_refresh_internal.incremental_leftover"
      " SELECT id, owner_oid FROM metrics_refresh_internal.incremental_view WHERE view_oid = $1",
      {Param::oid(view)});
  note_leftovers();
}

void queue_sweep_of_id(pg::Spi& spi, std::int64_t id) {
  spi.query("INSERT INTO metrics_refresh_internal.incremental_leftover VALUES ($1)", {id});
  note_leftovers();
}

// A dropped view needs no entry: its row in pg_class is missing.
std::vector<std::int64_t> incremental_leftovers(pg::Spi& spi) {
  const pg::Rows rows = spi.query(
      "SELECT id FROM metrics_refresh_internal.incremental_leftover"
      " UNION SELECT id FROM metrics_refresh_internal.incremental_view i WHERE view_oid <> 0"
      "  AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c"
      "   WHERE c.oid = i.view_oid AND c.relkind = 'm')");
  std::vector<std::int64_t> ids;
  for (std::size_t i = 0; i < rows.size(); ++i) ids.push_back(rows.get_int64(i, "id"));
  return ids;
}

// A number whose view still exists is not left over: it was only reported, and may be wanted.
std::map<Oid, std::int64_t> leftovers_by_owner(pg::Spi& spi, Oid owner) {
  const pg::Rows rows = spi.query(
      "SELECT owner_oid, count(DISTINCT id) AS leftovers FROM ("
      "  SELECT l.owner_oid, l.id FROM metrics_refresh_internal.incremental_leftover l"
      "   WHERE NOT EXISTS (SELECT FROM metrics_refresh_internal.incremental_view i"
      "    WHERE i.id = l.id)"
      "  UNION ALL SELECT i.owner_oid, i.id FROM metrics_refresh_internal.incremental_view i"
      "   WHERE i.view_oid <> 0 AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c"
      "    WHERE c.oid = i.view_oid AND c.relkind = 'm')) o"
      " WHERE owner_oid <> 0 AND ($1 = 0 OR owner_oid = $1) GROUP BY owner_oid ORDER BY owner_oid",
      {Param::oid(owner)});
  std::map<Oid, std::int64_t> counts;
  for (std::size_t i = 0; i < rows.size(); ++i)
    counts[rows.get_oid(i, "owner_oid")] = rows.get_int64(i, "leftovers");
  return counts;
}

// A view is wanted if a job with the strategy incremental refreshes it: by itself, as a listed
// member of a group, or as a view in the schema of a group.
LeftoverState leftover_state(pg::Spi& spi, std::int64_t id) {
  const pg::Rows rows = spi.query(
      std::string("SELECT i.view_oid, EXISTS (SELECT FROM pg_catalog.pg_class c"
                  "  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                  "  JOIN metrics_refresh_internal.job j ON j.strategy = '") +
          to_text(Strategy::kIncremental) + "' AND " + kOwnerMayRefresh +
          "  WHERE c.oid = i.view_oid AND c.relkind = 'm'"
          "  AND (j.view_schema = n.nspname AND j.view_name = c.relname OR j.view_oid = c.oid"
          "   OR j.group_schema = n.nspname"
          "   OR EXISTS (SELECT FROM metrics_refresh_internal.job_member m WHERE m.job_id = "
          "j.job_id"
          "    AND (m.view_schema = n.nspname AND m.view_name = c.relname OR m.view_oid = c.oid))))"
          " AS is_in_use"
          " FROM metrics_refresh_internal.incremental_view i WHERE i.id = $1",
      {id});
  if (rows.empty()) return {};
  return {rows.get_oid(0, "view_oid"), rows.get_bool(0, "is_in_use")};
}

// SKIP LOCKED: the scheduler must not wait for the transaction of a user.
bool try_delete_incremental(pg::Spi& spi, std::int64_t id) {
  return !spi.query(
                 "WITH gone AS (DELETE FROM metrics_refresh_internal.incremental_view WHERE id ="
                 "  (SELECT id FROM metrics_refresh_internal.incremental_view WHERE id = $1"
                 "   FOR UPDATE SKIP LOCKED) RETURNING id, owner_oid)"
                 " INSERT INTO metrics_refresh_internal.incremental_leftover"
                 " SELECT id, owner_oid FROM gone"
                 " RETURNING id",
                 {id})
              .empty();
}

// ctid identifies one of several equal rows; the table has no key.
void delete_duplicate_leftovers(pg::Spi& spi, std::int64_t id) {
  spi.query(
      "DELETE FROM metrics_refresh_internal.incremental_leftover WHERE ctid = ANY (ARRAY("
      " SELECT ctid FROM metrics_refresh_internal.incremental_leftover WHERE id = $1"
      "  OFFSET 1 FOR UPDATE SKIP LOCKED))",
      {id});
}

void delete_leftover(pg::Spi& spi, std::int64_t id) {
  spi.query(
      "DELETE FROM metrics_refresh_internal.incremental_leftover WHERE ctid IN"
      " (SELECT ctid FROM metrics_refresh_internal.incremental_leftover WHERE id = $1"
      "  FOR UPDATE SKIP LOCKED)",
      {id});
}

}  // namespace metrics_refresh::store
