// The error for all texts of schedules: its position, the text that was found, and the permitted
// forms. It does not depend on SQL; the API layer adds the SQLSTATE.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>

namespace metrics_refresh::core {

/// Raised for a schedule text that is not accepted. what() names the field and the text that was
/// found.
class ScheduleError : public std::invalid_argument {
 public:
  ScheduleError(const std::string& message, std::size_t position, std::string hint)
      : std::invalid_argument(message), position_(position), hint_(std::move(hint)) {}

  /// The one-based character position in the text at which the error begins. If something is
  /// missing, it is one past the end.
  std::size_t position() const noexcept { return position_; }
  /// The permitted forms, as a sentence; never empty.
  const std::string& hint() const noexcept { return hint_; }

 private:
  std::size_t position_;
  std::string hint_;
};

}  // namespace metrics_refresh::core
