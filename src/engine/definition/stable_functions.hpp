// Functions of the server that depend on their arguments and a few settings only. Most of them are
// marked STABLE. Any other function with that mark may depend on the time, on the current role, or
// on anything else.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

enum class Stability {
  kSettings,   // depends on the arguments and the settings below
  kArguments,  // also on the text form of the arguments' types (is_written_stably)
  kUnknown,
};

/// The mark of the function in pg_proc is ignored.
Stability stability_of(Oid function);

/// True if the output function of the type depends only on the value and the settings. REQUIRES:
/// inside pg::call().
bool is_written_stably(Oid type);

/// True if all arguments of a call, or the argument of a coercion, have such types. REQUIRES:
/// inside pg::call().
bool has_stable_arguments(Node* node);

/// The time zone that a call of a function of the server names as a constant, or null. REQUIRES:
/// inside pg::call().
const char* zone_of_call(Node* node);

/// The settings as lines of `name=value`, and the rules of the session's time zone. REQUIRES:
/// inside pg::call().
const char* settings_of_stable_functions();

}  // namespace metrics_refresh::engine
