// Audits of the strategy skip. After some number of skips (metrics_refresh.audit_every), a view is
// refreshed once although it is fresh. If the refresh changes a row, the rows depend on something
// unknown, for example on a function with a false volatility. This raises an alarm. The view is not
// skipped any more until the strategy of one of its own jobs is set again. A difference in a part
// that depends on the order in which rows are read is corrected without an alarm.
#pragma once

#include "engine/diff/audit.hpp"
#include "engine/skip/freshness.hpp"
#include "engine/strategy/refreshed.hpp"

namespace metrics_refresh::engine {

/// True if the view was skipped so often that it must be refreshed now.
bool is_audit_due(Oid view);

/// Counts a skip of the view.
void count_skip(Oid view);

/// True if the refresh that begins is an audit: one is due, and the view was fresh when it was
/// `seen`. The strategy is then diff, because a refresh by keys would find no changes. REQUIRES:
/// the view is locked for the refresh.
bool begins_audit(const View& view, const Observation& seen, Choice& choice);

/// Returns the audit in the current memory context. If the view is refreshed in full, this reads
/// all its rows. REQUIRES: begins_audit() has returned true.
Audit begin_audit(const View& view, const Observation& seen, bool is_full);

/// Called after that refresh. Writes the result of the audit into the reason, and raises the alarm.
/// Changes between the time when the view was `seen` and the snapshot do not count.
void end_audit(const View& view, const Observation& seen, Audit& audit, Refreshed& refreshed);

/// Ends the alarm, so that the view can be skipped again.
void end_alarm(Oid view);

}  // namespace metrics_refresh::engine
