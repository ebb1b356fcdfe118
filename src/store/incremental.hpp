// The table incremental_view: the views that are set up for the strategy incremental, with the
// state that each keeps from one refresh to the next.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pg/spi.hpp"
#include "store/reads.hpp"

namespace metrics_refresh::store {

struct IncrementalView {
  std::int64_t id = 0;
  Oid view = InvalidOid;
  std::string schema;  // name of the view at the last refresh
  std::string name;
  std::string fingerprint;  // empty: not refreshed yet
  // fingerprint of changes that triggers do not see; empty: not known
  std::string uncaptured;
  std::optional<core::Instant> as_of;  // now() of the last refresh
  std::int64_t rows = 0;               // rows of the view after that refresh
  int runs = 0;                        // since the last audit
  // reason why the view is refreshed by diff; empty if it is not
  std::string demoted;
};

std::optional<IncrementalView> find_incremental(pg::Spi& spi, Oid view,
                                                Reads reads = Reads::kTables);

/// Inserts a row. REQUIRES: the view has none.
IncrementalView insert_incremental(pg::Spi& spi, Oid view, const std::string& schema,
                                   const std::string& name);

/// Writes all columns except the id. `schema` and `name` are the present names of the view.
void update_incremental(pg::Spi& spi, const IncrementalView& record, const std::string& schema,
                        const std::string& name);

/// A materialized view that another view reads. A refresh of the parent writes the keys of its
/// changed rows into the delta table. `columns` is text[].
void insert_parent(pg::Spi& spi, std::int64_t id, const std::string& delta, Datum columns,
                   const std::string& schema, const std::string& name);

/// The table incremental_leftover holds the numbers of views whose delta tables and triggers may
/// have to be removed (engine/incremental/setup/sweep.hpp). Writing to it does not wait for locks.
///
/// Deletes the row of a view. Its delta tables and triggers are left over.
void delete_incremental(pg::Spi& spi, std::int64_t id);
/// A job no longer wants this view to be refreshed incrementally.
void queue_sweep_of_view(pg::Spi& spi, Oid view);
/// Delta tables or triggers with this number may exist without a view.
void queue_sweep_of_id(pg::Spi& spi, std::int64_t id);

/// The numbers in incremental_leftover, and the numbers of views that no longer exist.
std::vector<std::int64_t> incremental_leftovers(pg::Spi& spi);

/// Number of removed views of each role whose delta tables or triggers have not been removed yet.
/// InvalidOid: of all roles. The role is the owner of the view at its last refresh.
std::map<Oid, std::int64_t> leftovers_by_owner(pg::Spi& spi, Oid owner = InvalidOid);

struct LeftoverState {
  Oid view = InvalidOid;   // the view of the row with this number, or InvalidOid if there is none
  bool is_in_use = false;  // true if a job wants it and the owner of that job may refresh the view
};
LeftoverState leftover_state(pg::Spi& spi, std::int64_t id);

/// Like delete_incremental(), but returns false if another session holds the row.
bool try_delete_incremental(pg::Spi& spi, std::int64_t id);
/// Deletes all but one row of the number. Rows that another session holds stay. Every change of a
/// job adds a row, so that repeats accumulate.
void delete_duplicate_leftovers(pg::Spi& spi, std::int64_t id);
/// Removes the number. Rows that another session holds stay.
void delete_leftover(pg::Spi& spi, std::int64_t id);

}  // namespace metrics_refresh::store
