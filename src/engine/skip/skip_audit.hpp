// Audits of the strategy skip: after so many skips of a view (metrics_refresh.audit_every), one
// time it is refreshed in truth although it is fresh. If that changes a row, its rows depend on
// something that nobody knew of, a function that lies for one. That is an alarm: the view is not
// skipped any more until somebody sets the strategy of a job of its own again.
#pragma once

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

/// After that refresh: says in its reason what was found, and raises the alarm. Changes that were
/// made between what was `seen` and its snapshot are none.
void end_audit(const View& view, const Observation& seen, Refreshed& refreshed);

/// What is said of the view's rows when it is skipped is believed again.
void end_alarm(Oid view);

}  // namespace metrics_refresh::engine
