// Which way a view is refreshed, and why, in words that the log and explain_refresh() repeat.
#pragma once

#include <string>

#include "engine/view/view.hpp"

namespace metrics_refresh::engine {

/// `skip`: nothing is done, for nothing has changed (engine/skip/freshness.hpp).
/// `incremental`: ours, where it is set up: readers go on, only rows that could have changed are
/// looked at (engine/incremental/apply/keyed_refresh.hpp).
/// `diff`: ours: readers go on, rows that differ are written (engine/diff/diff.hpp).
/// `concurrently`: core's REFRESH … CONCURRENTLY: readers go on, rows that differ are written.
/// `full`: core's plain REFRESH: writes the view anew and blocks its readers meanwhile.
enum class Strategy { kSkip, kIncremental, kDiff, kConcurrently, kFull };

const char* to_string(Strategy strategy);

/// What a job or a caller may ask for: `auto`, `incremental`, `diff`, `concurrently` or `full`.
enum class Requested { kAuto, kIncremental, kDiff, kConcurrently, kFull };

/// Throws SqlError 22023 for any other word.
/// The word that parse_requested() reads.
const char* to_string(Requested requested);

Requested parse_requested(const std::string& word);

/// What a job of this strategy asks for at a run: one of a view that is not set up for incremental
/// refresh, since it was made anew in a way that does not allow it, goes on by diff.
Requested job_request(const std::string& strategy);

struct Choice {
  Strategy strategy;
  std::string reason;  // lower case, no full stop
  /// The view's access method may turn out not to be able to do it: then it is `full`.
  bool may_be_unsupported = false;
};

/// Throws SqlError 55000 where `concurrently` or `incremental` is asked for and not prepared. A
/// view that was never populated is refreshed in full whatever is asked for: it has no readers to
/// block. One that is in no heap is so as well, unless `concurrently` is asked for.
Choice choose(const View& view, const ViewState& state, Requested requested);

}  // namespace metrics_refresh::engine
