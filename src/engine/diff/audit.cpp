#include "engine/diff/audit.hpp"

namespace metrics_refresh::engine {

Audit prepare_audit(const FixedRows& fixed) {
  Audit audit;
  audit.fixed = fixed;
  audit.sums.hasher.init();
  audit.sums.columns = fixed.columns;
  audit.sums.column_count = fixed.column_count;
  return audit;
}

bool has_other_sums(const Audit& audit) {
  const core::RowHash& before = audit.sums.old_rows;
  const core::RowHash& now = audit.sums.new_rows;
  return before.high != now.high || before.low != now.low;
}

bool is_wrong(const Audit& audit) {
  return audit.fixed.loose_reason == nullptr ||
         (audit.fixed.has_fixed_count && has_other_sums(audit));
}

}  // namespace metrics_refresh::engine
