// The table incremental_view: which views are set up for the strategy incremental, and what each
// remembers from one refresh to the next.
#pragma once

#include <optional>
#include <string>

#include "pg/spi.hpp"
#include "store/reads.hpp"

namespace metrics_refresh::store {

struct IncrementalView {
  std::int64_t id = 0;
  Oid view = InvalidOid;
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

/// Removes the rows of views that do not exist any more; what belonged to them went with them.
void forget_dropped_incremental(pg::Spi& spi);

void delete_incremental(pg::Spi& spi, std::int64_t id);

/// Whether a job, of the view or of a group with it, has the strategy incremental.
bool wants_incremental(pg::Spi& spi, Oid view);

}  // namespace metrics_refresh::store
