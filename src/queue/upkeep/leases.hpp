// Ends the leases of claims from outside that have expired: the attempt has failed.
#pragma once

#include "queue/upkeep/due.hpp"
#include "queue/upkeep/mover.hpp"
#include "queue/upkeep/types.hpp"
#include "shmem/queue/outside_claims.hpp"

namespace metrics_refresh::queue {

class Leases {
 public:
  /// A lease ends earlier than those that are known.
  void expect() { due_.at_once(); }

  /// Ends up to 100 leases if it is time.
  void work(core::Instant now, const Types& types);
  std::optional<core::Instant> try_again_at() const { return due_.at(); }

 private:
  bool end(const std::vector<shmem::queue::OutsideClaim>& claims, const Types& types);

  Due due_;
};

}  // namespace metrics_refresh::queue
