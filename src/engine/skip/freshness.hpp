// Whether a view's rows are still what its definition gives, told without running it: its tables'
// counts of changes stand where they stood before the snapshot of its last refresh, and nothing
// else that the rows depend on is different. In doubt the view is not fresh.
#pragma once

#include <string>

#include "engine/view/view.hpp"

namespace metrics_refresh::engine {

/// 128 bits that are equal where all that they are of is equal.
struct Fingerprint {
  std::uint64_t high;
  std::uint64_t low;
};

/// Of the same things, with the changes that went to commit, or only those that a later snapshot
/// sees.
struct Fingerprints {
  Fingerprint begun;
  Fingerprint ended;
};

/// A look at all that a view's rows depend on, from before the snapshot of a refresh.
struct Observation {
  /// Why `rows` cannot tell later whether the view is fresh: lower case, no full stop; or empty.
  std::string obstacle;
  Fingerprints rows;
  /// The same of changes that were not captured for the strategy incremental. The count says more
  /// than a snapshot sees where the last of them is not before its xmin.
  std::string capture_obstacle;
  Fingerprint uncaptured;
  FullTransactionId last_uncaptured;
  /// Of all but the counts.
  Fingerprint structure;
  /// Transactions before this may have gone uncounted.
  FullTransactionId since;
  /// The transaction under way has itself written one of the tables.
  bool is_own_change;
  /// `schema.table (schema.function)`, separated by commas, or empty.
  std::string read_by_functions;
};

/// Has changes of the tables counted from now on, in the name of the view's owner, unless it
/// `only_looks`. REQUIRES: a transaction whose snapshot for the refresh has not been taken.
Observation observe(const View& view, bool only_looks = false);

/// True where every transaction that a snapshot with this xmin does not see is, or will be,
/// counted.
bool is_all_counted(const Observation& seen, TransactionId snapshot_xmin);
/// And where it sees all uncaptured changes that are counted.
bool is_all_captured(const Observation& seen, TransactionId snapshot_xmin);

/// 32 hexadecimal digits.
std::string to_text(Fingerprint fingerprint);

/// Of the changes of the view's own rows, by whoever made them, those of this transaction included.
/// Empty where they are not counted.
/// REQUIRES: the view is locked exclusively.
std::string fingerprint_of_rows(const View& view);

/// Notes in the transaction of a refresh that the view is now what its definition gave at the
/// snapshot whose xmin this is. REQUIRES: the view is locked exclusively since before it was
/// observed; the refresh is done.
void remember_fresh(const View& view, const Observation& seen, TransactionId snapshot_xmin);

struct Freshness {
  bool is_fresh;
  std::string reason;  // either way; lower case, no full stop
};

/// False where it was not fresh at this observation, which is from under its lock, by what its last
/// refresh remembered.
bool was_fresh(const View& view, const Observation& seen);

/// Waits, as a refresh would, for whoever holds one of the tables in AccessExclusiveLock; keeps no
/// lock. What `only_looks`, and does not go on to refresh the view, has nothing counted.
Freshness freshness_of(const View& view, bool only_looks = false);

}  // namespace metrics_refresh::engine
