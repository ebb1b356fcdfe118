#include "store/view_states.hpp"

namespace metrics_refresh::store {

using pg::Param;

ViewMemory find_memory(pg::Spi& spi, Oid view) {
  const pg::Rows rows = spi.query(
      "SELECT (SELECT fingerprint FROM metrics_refresh_internal.view_state WHERE view_oid = $1)"
      " AS fingerprint,"
      " (SELECT found FROM metrics_refresh_internal.skip_alarm WHERE view_oid = $1 LIMIT 1)"
      " AS alarm",
      {Param::oid(view)});
  return {rows.get_text_or_null(0, "fingerprint"), rows.get_text_or_empty(0, "alarm")};
}

// The caller holds a lock on the view, so that no two sessions set the alarm of one view at the
// same time.
void set_alarm(pg::Spi& spi, const ViewName& name, Oid view, const std::string& found) {
  spi.query(
      "WITH known AS (UPDATE metrics_refresh_internal.skip_alarm"
      "  SET found = $4, found_at = now() WHERE view_oid = $3 RETURNING view_oid)"
      " INSERT INTO metrics_refresh_internal.skip_alarm (view_schema, view_name, view_oid, found)"
      " SELECT $1, $2, $3, $4 WHERE NOT EXISTS (SELECT FROM known)",
      {name.first, name.second, Param::oid(view), found});
}

void clear_alarm(pg::Spi& spi, Oid view) {
  // SKIP LOCKED: a session that holds the row is about to clear it, too.
  spi.query(
      "DELETE FROM metrics_refresh_internal.skip_alarm WHERE ctid = ANY (ARRAY("
      " SELECT ctid FROM metrics_refresh_internal.skip_alarm WHERE view_oid = $1"
      "  FOR UPDATE SKIP LOCKED))",
      {Param::oid(view)});
}

std::string find_alarm(pg::Spi& spi, Oid view, Reads reads) {
  const pg::Rows rows = spi.query(
      "SELECT found FROM " + read_name(reads, "skip_alarm") + " WHERE view_oid = $1 LIMIT 1",
      {Param::oid(view)});
  return rows.empty() ? "" : rows.get_text(0, "found");
}

void name_alarm(pg::Spi& spi, const ViewName& name, Oid view) {
  spi.query(
      "UPDATE metrics_refresh_internal.skip_alarm SET view_schema = $1, view_name = $2"
      " WHERE ctid = ANY (ARRAY(SELECT ctid FROM metrics_refresh_internal.skip_alarm"
      "  WHERE view_oid = $3 AND (view_schema <> $1 OR view_name <> $2) FOR UPDATE SKIP LOCKED))",
      {name.first, name.second, Param::oid(view)});
}

void set_fingerprint(pg::Spi& spi, Oid view, const std::string& fingerprint) {
  if (fingerprint.empty())
    spi.query("DELETE FROM metrics_refresh_internal.view_state WHERE view_oid = $1",
              {Param::oid(view)});
  else
    spi.query(
        "INSERT INTO metrics_refresh_internal.view_state AS s VALUES ($1, $2)"
        " ON CONFLICT (view_oid) DO UPDATE SET fingerprint = EXCLUDED.fingerprint"
        " WHERE s.fingerprint <> EXCLUDED.fingerprint",
        {Param::oid(view), fingerprint});
}

bool has_prepared_transactions(pg::Spi& spi) {
  return !spi.query(
                 "SELECT FROM pg_catalog.pg_prepared_xacts"
                 " WHERE database = pg_catalog.current_database() LIMIT 1")
              .empty();
}

}  // namespace metrics_refresh::store
