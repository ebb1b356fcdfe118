// A materialized view as the engine needs to know it, read from the catalogs.
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

/// What decides how the view can be refreshed.
struct ViewState {
  bool populated;
  bool is_heap;                 // the rows are in a heap, as usual, whatever it is called
  std::string access_method;    // that they are in
  std::string unique_index;     // one that CONCURRENTLY accepts; empty where there is none
  bool is_incremental = false;  // set up for the strategy incremental
  std::string demoted;          // why it is refreshed by diff all the same, or empty
};

/// `schema.name`, each part quoted where SQL needs it.
std::string qualified_name(const std::string& schema, const std::string& name);

/// Who the view is; takes no lock, so it may change unless the caller holds one. Throws SqlError
/// 42P01 where no such relation exists and 42809 where it is no materialized view.
View read_view(Oid oid);

/// Waits for whoever holds the view exclusively; keeps no lock. Throws SqlError 42P01 where the
/// view was dropped meanwhile.
ViewState read_state(const View& view);

/// The same without waiting, and without what the strategy incremental has written: nothing where
/// the view or an index of it is held exclusively, as by a plain refresh, or gone.
std::optional<ViewState> try_read_state(const View& view);

/// True where `role` may refresh the view: it has the rights of the view's owner or, from
/// PostgreSQL 17 on, the privilege MAINTAIN.
bool has_view_rights(Oid role, const View& view);

/// Throws SqlError 42501 unless has_view_rights().
void require_view_rights(Oid role, const View& view);

/// The materialized view that is meant now, or InvalidOid. As long as the remembered view exists, a
/// name takes the job away from it only to a view whose owner has the rights of its owner: nobody
/// else can take it by the name. First comes the name that was given, where the job's owner may
/// refresh that view, then the last known one, then the remembered view, which was renamed or moved
/// to another schema.
Oid resolve_view(const store::BoundView& bound);

/// The materialized view that has the name now which the job was given, where it is not `meant`;
/// else InvalidOid.
Oid namesake(const store::BoundView& bound, Oid meant);

/// The owner of a relation, or InvalidOid where it does not exist.
Oid relation_owner(Oid oid);

}  // namespace metrics_refresh::engine
