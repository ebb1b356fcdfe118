// The strategy of a refresh, and the reason for it in words that the log and explain_refresh()
// repeat.
#pragma once

#include <string>

#include "store/strategies.hpp"

namespace metrics_refresh::engine {

using store::Strategy;

struct Choice {
  Strategy strategy;
  std::string reason;  // lower case, no full stop
  /// The view's access method may turn out not to be able to do it: then it is `full`.
  bool may_be_unsupported = false;
};

}  // namespace metrics_refresh::engine
