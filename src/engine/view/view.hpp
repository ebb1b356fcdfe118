// The properties of a materialized view that the engine needs, read from the catalogs.
#pragma once

#include <optional>
#include <string>

#include "store/bound_view.hpp"

namespace metrics_refresh::engine {

struct View {
  Oid oid;
  std::string schema;
  std::string name;
  Oid owner;
};

/// The properties that decide how the view can be refreshed.
struct ViewState {
  bool populated;
  bool is_heap;                 // the rows are in a heap, by any name of the access method
  std::string access_method;    // name of the access method of the view
  std::string unique_index;     // one that CONCURRENTLY accepts; empty if there is none
  bool is_incremental = false;  // set up for the strategy incremental
  std::string demoted;          // the reason why it is refreshed by diff nevertheless, or empty
};

/// `schema.name`, each part quoted if SQL needs it.
std::string qualified_name(const std::string& schema, const std::string& name);

/// The name and the owner of a view. Takes no lock, so they may change unless the caller holds one.
/// Throws SqlError 42P01 if the relation does not exist, and 42809 if it is not a materialized
/// view.
View read_view(Oid oid);

/// The state of the view. Waits while another session holds the view exclusively. Keeps no lock.
/// Throws SqlError 42P01 if the view was dropped meanwhile.
ViewState read_state(const View& view);

/// The same without waiting, and without the properties of the strategy incremental. Nothing if the
/// view or an index of it is held exclusively, for example by a plain refresh, or was dropped.
std::optional<ViewState> try_read_state(const View& view);

/// True if `role` may refresh the view. It must have the rights of the view's owner or, from
/// PostgreSQL 17 on, the privilege MAINTAIN.
bool has_view_rights(Oid role, const View& view);

/// Throws SqlError 42501 unless has_view_rights().
void require_view_rights(Oid role, const View& view);

/// The materialized view that a job means now, or InvalidOid. The candidates, in this order, are
/// the view with the given name, the view with the last known name, and the remembered view. The
/// first one counts only if the owner of the job may refresh it. As long as the remembered view
/// exists, another view replaces it only if its owner has the rights of the old owner. So a role
/// cannot take over a job by means of a name. The remembered view may have been renamed or moved to
/// another schema.
Oid resolve_view(const store::BoundView& bound);

/// The materialized view that now has the name that the job was given, if it is not `meant`.
/// Otherwise InvalidOid.
Oid namesake(const store::BoundView& bound, Oid meant);

/// The owner of a relation, or InvalidOid if it does not exist.
Oid relation_owner(Oid oid);

}  // namespace metrics_refresh::engine
