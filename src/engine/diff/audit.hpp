// The comparison of an audit: a refresh of all rows that must not change any. Only the parts of the
// rows that the definition fixes can be wrong (fixed_rows.hpp). The rest is corrected without an
// alarm.
#pragma once

#include "engine/definition/fixed_rows.hpp"
#include "engine/diff/diff.hpp"

namespace metrics_refresh::engine {

struct Audit {
  FixedRows fixed = {};
  RowSums sums = {};  // of the fixed columns; filled by the refresh
};

/// Returns an audit of rows of which `fixed` is fixed, in the current memory context. REQUIRES:
/// inside pg::call().
Audit prepare_audit(const FixedRows& fixed);

/// True if a fixed column differs.
bool has_other_sums(const Audit& audit);

/// True if rows that the refresh has changed show an error. REQUIRES: it has changed rows.
bool is_wrong(const Audit& audit);

}  // namespace metrics_refresh::engine
