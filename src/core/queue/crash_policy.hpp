// The fate of the jobs that were running when the server crashed. One of them may have caused it,
// and the others must not suffer for that. So all of them run again alone, one after the other: an
// innocent job passes, and one that crashes the server alone too often is given up.
#pragma once

#ifdef PG_VERSION_NUM
#error "core/ headers come before postgres.h"
#endif

namespace metrics_refresh::core::queue {

struct CrashedJob {
  int attempts = 0;      // before the crash, with that which the crash ended
  int max_attempts = 1;  // of the job or its type
  int crashes = 0;       // of the server before this one, while the job ran alone
  bool alone = false;    // no other job ran in the moment of this crash
};

struct AfterCrash {
  enum class Next {
    kRunAlone,      // a suspect: it runs, but no other job beside it
    kTooManyTries,  // its attempts are used up
    kCrasher        // the server crashed too often while it ran alone
  };
  Next next = Next::kRunAlone;
  int crashes = 0;  // with this one

  bool is_dead() const noexcept { return next != Next::kRunAlone; }
};

/// `limit`: so many crashes while it ran alone end a job; at least 1.
AfterCrash after_crash(const CrashedJob& job, int limit) noexcept;

}  // namespace metrics_refresh::core::queue
