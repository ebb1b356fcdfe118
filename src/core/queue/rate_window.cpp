#include "core/queue/rate_window.hpp"

#include <algorithm>
#include <iterator>

namespace metrics_refresh::core::queue {

void RateWindow::set_period(Duration period, Instant now) noexcept {
  // Rounded up, so that 64 windows are never shorter than the period.
  width_ = (period.count() + kParts - 1) / kParts;
  gather(std::max<std::int64_t>(now.time_since_epoch().count(), 0) / width_);
}

// All starts that count move to the window, which becomes the current one.
void RateWindow::gather(std::int64_t window) noexcept {
  std::fill(std::begin(counts_), std::end(counts_), 0U);
  current_ = window;
  count_of(window) = total_;
}

void RateWindow::advance(Instant now) noexcept {
  const std::int64_t window = std::max<std::int64_t>(now.time_since_epoch().count(), 0) / width_;
  if (window <= current_ - kWindows) return gather(window);
  if (window - current_ >= kWindows) {
    total_ = 0;
    return gather(window);
  }
  while (current_ < window) {
    total_ -= count_of(++current_);
    count_of(current_) = 0;
  }
}

std::uint32_t RateWindow::used(Instant now) noexcept {
  advance(now);
  return total_;
}

std::int64_t RateWindow::book(Instant now, std::uint32_t count) noexcept {
  advance(now);
  count_of(current_) += count;
  total_ += count;
  return current_;
}

void RateWindow::unbook(std::int64_t window) noexcept {
  // After gather() the start may count in another window. Then it stays: that is the safe side.
  if (!counts(window) || count_of(window) == 0) return;
  --count_of(window);
  --total_;
}

bool RateWindow::move(std::int64_t& window, Instant now, std::uint32_t limit) noexcept {
  advance(now);
  if (window == current_) return true;
  const std::uint32_t before = total_;
  unbook(window);
  if (total_ == before && total_ >= limit) return false;
  window = book(now, 1);
  return true;
}

Instant RateWindow::opens_at(Instant now, std::uint32_t limit) noexcept {
  advance(now);
  std::uint32_t left = total_;
  std::int64_t window = current_ - kWindows;
  while (left >= limit && window < current_) {
    ++window;
    if (window >= 0) left -= count_of(window);
  }
  // The window counts as long as it overlaps the period.
  return window == current_ - kWindows ? now : Instant{Duration{(window + kWindows) * width_}};
}

}  // namespace metrics_refresh::core::queue
