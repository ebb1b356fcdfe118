// The table incremental_view: which views are set up for the strategy incremental, and what each
// remembers from one refresh to the next.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pg/spi.hpp"
#include "store/reads.hpp"

namespace metrics_refresh::store {

struct IncrementalView {
  std::int64_t id = 0;
  Oid view = InvalidOid;
  std::string schema;  // as the view was called at the last refresh
  std::string name;
  std::string fingerprint;             // empty: no refresh so far
  std::string uncaptured;              // of what triggers do not see; empty: not known
  std::optional<core::Instant> as_of;  // now() of the last refresh
  std::int64_t rows = 0;               // in the view after it
  int runs = 0;                        // since the last audit
  std::string demoted;                 // why it is refreshed by diff; empty: it is not
};

std::optional<IncrementalView> find_incremental(pg::Spi& spi, Oid view,
                                                Reads reads = Reads::kTables);

/// Of a view that has none.
IncrementalView insert_incremental(pg::Spi& spi, Oid view, const std::string& schema,
                                   const std::string& name);

/// Writes everything but the id; the names are what the view is called now.
void update_incremental(pg::Spi& spi, const IncrementalView& record, const std::string& schema,
                        const std::string& name);

/// A materialized view that another one is kept by: its keys go into the delta table. `columns` is
/// text[].
void insert_parent(pg::Spi& spi, std::int64_t id, const std::string& delta, Datum columns,
                   const std::string& schema, const std::string& name);

/// The table incremental_leftover: numbers of what may have to be taken away
/// (incremental_sweep.hpp). Who writes it waits for nobody.
///
/// Removes the row of a view, whose delta tables and triggers are left over.
void dismiss_incremental(pg::Spi& spi, std::int64_t id);
/// A job that wanted the view to be refreshed incrementally does so no more.
void suspect_incremental(pg::Spi& spi, Oid view);
/// There may be delta tables or triggers of this number that belong to no view.
void suspect_number(pg::Spi& spi, std::int64_t id);

/// These numbers, and those of views that do not exist any more.
std::vector<std::int64_t> incremental_leftovers(pg::Spi& spi);

struct LeftoverState {
  Oid view = InvalidOid;   // of the row with this number; InvalidOid where there is none
  bool is_wanted = false;  // by a job whose owner may refresh the view
};
LeftoverState leftover_state(pg::Spi& spi, std::int64_t id);

/// As dismiss_incremental(), but false where somebody holds the row.
bool try_dismiss_incremental(pg::Spi& spi, std::int64_t id);
/// Keeps one row of the number, of those that nobody holds: it is noted with each change of a job.
void forget_repeats(pg::Spi& spi, std::int64_t id);
/// Removes the number, as far as nobody holds it.
void forget_leftover(pg::Spi& spi, std::int64_t id);

}  // namespace metrics_refresh::store
