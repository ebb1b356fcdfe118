// The one error of everything that reads a schedule: where the trouble is, what was found there and
// what is allowed. It knows nothing of SQL; the API layer maps it to an SQLSTATE.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>

namespace metrics_refresh::core {

/// A schedule text that cannot be accepted. what() names the field and what was found there.
class ScheduleError : public std::invalid_argument {
 public:
  ScheduleError(const std::string& message, std::size_t position, std::string hint)
      : std::invalid_argument(message), position_(position), hint_(std::move(hint)) {}

  /// One-based character position in the text at which the trouble starts; one past the end where
  /// something is missing there.
  std::size_t position() const noexcept { return position_; }
  /// What is allowed there, as a sentence; never empty.
  const std::string& hint() const noexcept { return hint_; }

 private:
  std::size_t position_;
  std::string hint_;
};

}  // namespace metrics_refresh::core
