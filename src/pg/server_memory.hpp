// C++ objects in the server's memory contexts.
#pragma once

#include "pg/postgres.hpp"

namespace metrics_refresh::pg {

/// Constructs `count` objects in the current memory context, which frees them without a destructor.
/// REQUIRES: inside call().
template <typename T>
T* make_array(Size count) {
  static_assert(std::is_trivially_destructible_v<T>, "a memory context runs no destructors");
  auto* const objects = static_cast<T*>(palloc(sizeof(T) * count));
  for (Size i = 0; i < count; ++i) new (objects + i) T();
  return objects;
}

/// The same for one object.
template <typename T>
T* make() {
  return make_array<T>(1);
}

}  // namespace metrics_refresh::pg
