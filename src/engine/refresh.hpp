// One refresh of one view, in the transaction that the caller holds open.
#pragma once

#include <cstdint>
#include <string>

#include "engine/choose.hpp"

namespace metrics_refresh::engine {

struct Refreshed {
  Choice choice;
  std::int64_t rows;  // in the view afterwards
};

/// True where `role` may refresh the view: it has the rights of the view's owner or, from
/// PostgreSQL 17 on, the privilege MAINTAIN.
bool has_view_rights(Oid role, const View& view);

/// Throws SqlError 42501 unless has_view_rights().
void require_view_rights(Oid role, const View& view);

/// Locks the view, then takes the snapshot, then refreshes: as the view's owner, in core's
/// security-restricted operation, with search_path fixed to pg_catalog and pg_temp.
/// Throws PgError for whatever goes wrong, SqlError as choose(), require_view_rights() and
/// read_view() do. REQUIRES: a transaction with an active snapshot; `role` is on whose behalf.
Refreshed refresh_view(Oid view, Requested requested, Oid role);

}  // namespace metrics_refresh::engine
