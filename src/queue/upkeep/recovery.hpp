// Makes the queue's place in shared memory know the jobs of the tables: after a start of the
// server, a promotion or CREATE EXTENSION. Claims can be opened at the end. In this order:
//
//   segments -> a crash -> claims from outside and rate limits -> suspects
//
// Afterwards the steps of the upkeep read the ready jobs and all others, piece by piece, while
// workers perform the first of them.
//
// A scheduler that follows another one repeats the steps that may not be complete. Then the place
// knows the claims better than the tables.
#pragma once

#include "queue/upkeep/rotation.hpp"
#include "queue/upkeep/suspects.hpp"
#include "queue/upkeep/types.hpp"

namespace metrics_refresh::queue {

class Recovery {
 public:
  /// Begins anew. Claims are closed.
  void begin();
  /// Goes on if it is time. `may_claim`: the extension is enabled. Returns true when it is done.
  bool work(core::Instant now, bool may_claim, const Types& types, Rotation& rotation);
  std::optional<core::Instant> try_again_at() const;
  void expect_end_of_suspect() { suspects_.expect(); }
  /// Whether all ready jobs must be read, since the place did not know them.
  bool is_full() const noexcept { return is_full_; }

 private:
  enum class Phase { kSegments, kCrash, kOutside, kSuspects, kDone };
  bool go_on(const Types& types, Rotation& rotation);

  Phase phase_ = Phase::kDone;
  bool is_full_ = false;  // the place was not open
  bool is_new_ = false;   // and no scheduler has begun with it
  Suspects suspects_;
  Due due_;
};

}  // namespace metrics_refresh::queue
