// The refresh of a view that is set up for the strategy incremental, whichever strategy it is by:
// what was captured until then is done with, and the next one has to know what this one did.
#pragma once

#include <optional>

#include "engine/incremental/apply/keyed_refresh.hpp"
#include "engine/refresh.hpp"
#include "store/incremental.hpp"

namespace metrics_refresh::engine {

class KeyedRun {
 public:
  /// REQUIRES: the view is locked for its refresh; the active snapshot is that of the refresh.
  /// `seen` is what was observed before, and `snapshot_xmin` of that snapshot.
  KeyedRun(const View& view, const Observation& seen, TransactionId snapshot_xmin);

  /// By keys, or by diff, where that is the choice, with the captured keys taken. False where
  /// another strategy is to be used or the view is not set up; then nothing is done. Changes what
  /// `refreshed` says was chosen where keys would not do.
  bool run(Refreshed& refreshed);

  /// After a refresh in another way: notes that the view is fresh. Does nothing where it is not set
  /// up.
  void settle(const RowCounts& rows);

 private:
  std::string why_not_captured() const;
  std::string uncaptured() const;
  KeyedRefresh refresh(KeyedState state) const;
  void save();
  void report_audit(std::int64_t rows);

  const View& view_;
  const Observation& seen_;
  const bool is_all_captured_;
  std::optional<store::IncrementalView> record_;
};

}  // namespace metrics_refresh::engine
