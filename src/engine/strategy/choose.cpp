#include "engine/strategy/choose.hpp"

namespace metrics_refresh::engine {

const char* to_string(Strategy strategy) {
  switch (strategy) {
    case Strategy::kSkip:
      return "skip";
    case Strategy::kIncremental:
      return "incremental";
    case Strategy::kDiff:
      return "diff";
    case Strategy::kConcurrently:
      return "concurrently";
    case Strategy::kFull:
      break;
  }
  return "full";
}

const char* to_string(Requested requested) {
  switch (requested) {
    case Requested::kIncremental:
      return "incremental";
    case Requested::kDiff:
      return "diff";
    case Requested::kConcurrently:
      return "concurrently";
    case Requested::kFull:
      return "full";
    case Requested::kAuto:
      break;
  }
  return "auto";
}

Requested parse_requested(const std::string& word) {
  if (word == "auto") return Requested::kAuto;
  if (word == "incremental") return Requested::kIncremental;
  if (word == "diff") return Requested::kDiff;
  if (word == "concurrently") return Requested::kConcurrently;
  if (word == "full") return Requested::kFull;
  throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "strategy \"" + word + "\" is not known",
                     "Allowed are auto, incremental, diff, concurrently and full.");
}

Requested job_request(const std::string& strategy) {
  const Requested requested = parse_requested(strategy);
  return requested == Requested::kIncremental ? Requested::kAuto : requested;
}

Choice choose(const View& view, const ViewState& state, Requested requested) {
  if (!state.populated) return {Strategy::kFull, "the view has never been populated"};
  if (requested == Requested::kFull) return {Strategy::kFull, "asked for"};
  if (requested == Requested::kIncremental && !state.is_incremental)
    throw pg::SqlError(
        ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
        "materialized view \"" + view.name + "\" is not set up for incremental refresh",
        "A job with strategy incremental sets it up: see metrics_refresh.schedule() and "
        "alter_job().");
  if (state.is_incremental &&
      (requested == Requested::kIncremental || requested == Requested::kAuto)) {
    if (!state.demoted.empty())
      return {Strategy::kDiff, "demoted from incremental: " + state.demoted};
    return {Strategy::kIncremental, "only rows that could have changed are looked at"};
  }
  if (requested != Requested::kConcurrently && state.is_heap)
    return {Strategy::kDiff, "only rows that differ are written"};
  // What an access method can do is known when it is tried: one that is made for columns deletes no
  // row.
  if (requested != Requested::kConcurrently)
    return {Strategy::kFull,
            std::string(requested == Requested::kDiff ? "diff needs a heap, and the" : "the") +
                " access method " + state.access_method + " may not be able to delete rows"};
  if (!state.unique_index.empty())
    return {Strategy::kConcurrently, "the unique index " + state.unique_index + " is usable",
            !state.is_heap};
  const std::string lacking =
      "no unique index that is valid, immediate, on plain columns and without a WHERE clause";
  throw pg::SqlError(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                     "materialized view \"" + view.name + "\" cannot be refreshed concurrently",
                     "metrics_refresh.explain_refresh() proposes an index where it can; strategy "
                     "diff refreshes without one.",
                     "There is " + lacking + ".");
}

}  // namespace metrics_refresh::engine
