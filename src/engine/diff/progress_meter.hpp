// Counts the rows that a refresh reads and writes, and publishes the counts every few thousand
// rows.
#pragma once

#include "shmem/worker_slots.hpp"

namespace metrics_refresh::engine {

class ProgressMeter {
 public:
  void begin(shmem::Phase phase, int64 expected) noexcept {
    progress_.phase = phase;
    progress_.rows_read = 0;
    progress_.rows_expected = expected;
    shmem::show_progress(progress_);
  }
  void end() noexcept { shmem::show_progress({}); }
  void row_read() noexcept { count(progress_.rows_read); }
  void row_changed() noexcept { count(progress_.rows_changed); }

 private:
  static constexpr int64 kEvery = 4096;

  void count(int64& rows) noexcept {
    if (++rows % kEvery == 0) shmem::show_progress(progress_);
  }

  shmem::Progress progress_ = {};
};

}  // namespace metrics_refresh::engine
