// Tells if a view is fresh without running its definition. It is fresh if two conditions hold. The
// counts of changes of its tables are the same as before the snapshot of its last refresh. Nothing
// else that the rows depend on has changed. In doubt the view is not fresh.
#pragma once

#include <string>

#include "engine/view/view.hpp"

namespace metrics_refresh::engine {

/// A hash of 128 bits. Equal fingerprints mean equal inputs.
struct Fingerprint {
  std::uint64_t high;
  std::uint64_t low;
};

/// Two fingerprints of the same state. `begun` counts changes whose commit has begun, and `ended`
/// only those that a later snapshot sees.
struct Fingerprints {
  Fingerprint begun;
  Fingerprint ended;
};

/// The state of everything that the rows of a view depend on, before the snapshot of a refresh.
struct Observation {
  /// The reason why `rows` cannot tell later if the view is fresh, or empty. Lower case, no full
  /// stop.
  std::string reason;
  Fingerprints rows;
  /// The same for changes that were not captured for the strategy incremental. If the last of them
  /// is not before the xmin of a snapshot, the count may include changes that the snapshot does not
  /// see.
  std::string uncaptured_reason;
  Fingerprint uncaptured;
  FullTransactionId last_uncaptured;
  /// Covers everything except the counts.
  Fingerprint structure;
  /// Transactions before this one may not have been counted.
  FullTransactionId since;
  /// The current transaction itself has written one of the tables.
  bool is_own_change;
  /// Relations that functions read, as `schema.table (schema.function)`, separated by commas; or
  /// empty.
  std::string read_by_functions;
};

/// Observes the view. Unless it `only_looks`, changes of the tables are counted from now on, on
/// behalf of the owner of the view. REQUIRES: a transaction that has not taken the snapshot for the
/// refresh.
Observation observe(const View& view, bool only_looks = false);

/// True if every transaction that a snapshot with this xmin does not see is counted or will be.
bool is_all_counted(const Observation& seen, TransactionId snapshot_xmin);
/// True if in addition the snapshot sees all uncaptured changes that are counted.
bool is_all_captured(const Observation& seen, TransactionId snapshot_xmin);

/// Returns 32 hexadecimal digits.
std::string to_text(Fingerprint fingerprint);

/// The fingerprint of the changes of the view's own rows by any session, including this
/// transaction. Empty if they are not counted. REQUIRES: the view is locked exclusively.
std::string fingerprint_of_rows(const View& view);

/// Stores, in the transaction of a refresh, that the view has the rows of its definition at the
/// snapshot with this xmin. REQUIRES: the view has been locked exclusively since before the
/// observation; the refresh is done.
void remember_fresh(const View& view, const Observation& seen, TransactionId snapshot_xmin);

struct Freshness {
  bool is_fresh;
  std::string reason;  // for both answers; lower case, no full stop
};

/// True if the view was fresh at this observation, compared with its last refresh. REQUIRES: the
/// observation was made while the view was locked.
bool was_fresh(const View& view, const Observation& seen);

/// Tells if the view is fresh, and why. Like a refresh, it waits while another session holds one of
/// the tables in AccessExclusiveLock. Keeps no lock. If it `only_looks`, no further tables are
/// counted.
Freshness freshness_of(const View& view, bool only_looks = false);

}  // namespace metrics_refresh::engine
