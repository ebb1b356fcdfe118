#include "store/view_states.hpp"

namespace metrics_refresh::store {

using pg::Param;

std::optional<std::string> find_fingerprint(pg::Spi& spi, Oid view) {
  const pg::Rows rows =
      spi.query("SELECT fingerprint FROM metrics_refresh_internal.view_state WHERE view_oid = $1",
                {Param::oid(view)});
  if (rows.empty()) return std::nullopt;
  return rows.get_text(0, 1);
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
