// Audits of the strategy skip: after so many skips of a view (metrics_refresh.audit_every), one
// time it is refreshed in truth although it is fresh. If that changes a row, its rows depend on
// something that nobody knew of, a function that lies for one. That is an alarm: the view is not
// skipped any more until somebody sets the strategy of a job of its own again. What the definition
// leaves to the order in which rows are read is mended, and no alarm.
#pragma once

#include "engine/definition/fixed_rows.hpp"
#include "engine/diff/diff.hpp"
#include "engine/skip/freshness.hpp"
#include "engine/strategy/refreshed.hpp"

namespace metrics_refresh::engine {

/// True where the view was skipped so often that it is to be refreshed now.
bool is_audit_due(Oid view);

/// The view was skipped once more.
void note_skip(Oid view);

/// True where the refresh that begins is an audit: one is due, and the view is fresh by what was
/// `seen`. By keys it would see nothing, so it is by diff then. REQUIRES: the view is locked for
/// it.
bool begins_audit(const View& view, const Observation& seen, Choice& choice);

/// What an audit compares: no row but those that its definition fixes (fixed_rows.hpp) is wrong.
struct Audit {
  FixedRows fixed = {};
  RowSums sums = {};  // to be filled by the refresh
};

/// REQUIRES: begins_audit() said so. Of a view that is refreshed in full it reads all rows. In the
/// current memory context.
Audit prepare_audit(const View& view, const Observation& seen, bool is_full);

/// After that refresh: says in its reason what was found, and raises the alarm. Changes that were
/// made between what was `seen` and its snapshot are none.
void end_audit(const View& view, const Observation& seen, Audit& audit, Refreshed& refreshed);

/// What is said of the view's rows when it is skipped is believed again.
void end_alarm(Oid view);

}  // namespace metrics_refresh::engine
