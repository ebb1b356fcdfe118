// The error for a character that no schedule and no blackout window permits. It shows the
// character, its field, and the ASCII character that it resembles. It reads UTF-8. In other
// encodings it shows the bytes unchanged, and the client interprets them.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstddef>
#include <string_view>

#include "core/schedule/schedule_text.hpp"

namespace metrics_refresh::core {

/// Throws ScheduleError for the character that begins at the zero-based byte `at` of `text`.
/// REQUIRES: all characters before it are ASCII.
[[noreturn]] void refuse_unexpected_character(std::string_view text, std::size_t at,
                                              const TextKind& kind);

}  // namespace metrics_refresh::core
