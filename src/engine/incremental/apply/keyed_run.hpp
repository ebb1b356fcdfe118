// The refresh of a view that is set up for the strategy incremental, by any strategy. Each refresh
// uses up the captured rows and stores the information that the next one needs.
#pragma once

#include <optional>

#include "engine/incremental/apply/keyed_refresh.hpp"
#include "engine/skip/freshness.hpp"
#include "engine/strategy/refreshed.hpp"
#include "store/incremental.hpp"

namespace metrics_refresh::engine {

class KeyedRun {
 public:
  /// REQUIRES: the view is locked for its refresh; the active snapshot is that of the refresh.
  /// `seen` was observed before the snapshot was taken; `snapshot_xmin` is the xmin of the
  /// snapshot.
  KeyedRun(const View& view, const Observation& seen, TransactionId snapshot_xmin);

  /// Refreshes the view by keys, or by diff if `refreshed` says so. If keys cannot be used,
  /// refreshes by diff and changes the choice in `refreshed`. Returns false, and does nothing, if
  /// the view is not set up. A refresh by diff fills `sums`, unless null. REQUIRES: one of the two
  /// was chosen.
  bool run(Refreshed& refreshed, RowSums* sums);

  /// Records that the view was refreshed in another way. Does nothing if run() has refreshed it,
  /// or if the view is not set up.
  void record_other(const RowCounts& rows);

 private:
  std::string reason_not_captured() const;
  std::string capture_state() const;
  KeyedRefresh refresh(KeyedState state) const;
  void save();
  void report_audit(std::int64_t rows);

  const View& view_;
  const Observation& seen_;
  const bool is_all_captured_;
  std::optional<store::IncrementalView> record_;
  bool is_done_ = false;  // by run()
};

}  // namespace metrics_refresh::engine
