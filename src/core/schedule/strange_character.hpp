// A character that no schedule and no blackout window holds: how an error shows it, in which field
// it stands, and the ASCII character that it looks like. Reads UTF-8; in a text of another encoding
// it shows the bytes as they are, which the client reads.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstddef>
#include <string_view>

#include "core/schedule/schedule_text.hpp"

namespace metrics_refresh::core {

/// Throws the ScheduleError for the character that begins at the zero-based byte `at` of `text`.
/// REQUIRES: all characters before it are ASCII.
[[noreturn]] void refuse_strange_character(std::string_view text, std::size_t at,
                                           const TextKind& kind);

}  // namespace metrics_refresh::core
