// Which functions of the server's depend on a few settings beside their arguments, and on nothing
// else. Most are marked STABLE; all others of these may depend on the time, on who asks, or on
// anything else.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::engine {

enum class Stability {
  kSettings,   // depends on the arguments and the settings below
  kArguments,  // and on how their types are written as text (is_written_stably)
  kUnknown,
};

/// Whatever the function is marked as.
Stability stability_of(Oid function);

/// True where values of the type are written by a function that depends on nothing but the value
/// and the settings. REQUIRES: inside pg::call().
bool is_written_stably(Oid type);

/// True where all arguments of a call, or what a coercion writes, are of such types. REQUIRES:
/// inside pg::call().
bool has_stable_arguments(Node* node);

/// The time zone that a call of a function of the server's names by a constant, or null.
/// REQUIRES: inside pg::call().
const char* zone_of_call(Node* node);

/// The settings, each as `name=value`, one after the other, with the rules of the time zone.
/// REQUIRES: inside pg::call().
const char* settings_of_stable_functions();

}  // namespace metrics_refresh::engine
