#include "engine/choose.hpp"

namespace metrics_refresh::engine {

const char* to_string(Strategy strategy) {
  return strategy == Strategy::kConcurrently ? "concurrently" : "full";
}

Requested parse_requested(const std::string& word) {
  if (word == "auto") return Requested::kAuto;
  if (word == "concurrently") return Requested::kConcurrently;
  if (word == "full") return Requested::kFull;
  throw pg::SqlError(ERRCODE_INVALID_PARAMETER_VALUE, "strategy \"" + word + "\" is not known",
                     "Allowed are auto, concurrently and full.");
}

Choice choose(const View& view, const ViewState& state, Requested requested) {
  if (!state.populated) return {Strategy::kFull, "the view has never been populated"};
  if (requested == Requested::kFull) return {Strategy::kFull, "asked for"};
  if (!state.unique_index.empty())
    return {Strategy::kConcurrently, "the unique index " + state.unique_index + " is usable"};
  const std::string lacking =
      "no unique index that is valid, immediate, on plain columns and without a WHERE clause";
  if (requested == Requested::kAuto) return {Strategy::kFull, lacking};
  throw pg::SqlError(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                     "materialized view \"" + view.name + "\" cannot be refreshed concurrently",
                     "metrics_refresh.explain_refresh() proposes an index where it can; strategy "
                     "auto refreshes without one.",
                     "There is " + lacking + ".");
}

}  // namespace metrics_refresh::engine
