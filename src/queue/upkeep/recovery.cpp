#include "queue/upkeep/recovery.hpp"

#include "queue/upkeep/known_claims.hpp"
#include "shmem/queue/place.hpp"
#include "store/own_tables.hpp"
#include "store/queue/after_start.hpp"

namespace metrics_refresh::queue {

// A new place stays new until its claims are known. So another scheduler begins there, too.
void Recovery::begin() {
  const shmem::queue::State state = shmem::queue::state();
  is_new_ = state == shmem::queue::State::kNew;
  is_full_ = state != shmem::queue::State::kOpen;
  if (!is_new_) shmem::queue::begin_recovery();
  phase_ = Phase::kSegments;
  due_.at_once();
}

std::optional<core::Instant> Recovery::try_again_at() const {
  return phase_ == Phase::kSuspects ? suspects_.try_again_at() : due_.at();
}

bool Recovery::work(core::Instant now, bool may_claim, const Types& types, Rotation& rotation) {
  while (phase_ < Phase::kSuspects && due_.take(now)) {
    if (!go_on(types, rotation)) {
      due_.failed(now);
      return false;
    }
    due_.succeeded();
    due_.at_once();
  }
  if (phase_ != Phase::kSuspects) return phase_ == Phase::kDone;
  due_.never();
  if (may_claim) suspects_.work(now, types);
  if (!suspects_.empty()) return false;
  phase_ = Phase::kDone;
  return true;
}

// Takes the step of the phase. Returns false if it has to be tried again.
bool Recovery::go_on(const Types& types, Rotation& rotation) {
  switch (phase_) {
    case Phase::kSegments:
      if (!rotation.read() ||
          !store::try_with_own_tables("prepared transactions cannot be read now",
                                      store::queue::record_prepared_jobs))
        return false;
      phase_ = Phase::kCrash;
      return true;
    case Phase::kCrash:
      if (!suspects_.read(types)) return false;
      phase_ = Phase::kOutside;
      return true;
    case Phase::kOutside:
      if (is_new_) {
        if (!restore_known_claims(types, rotation.segments_in_use())) return false;
        shmem::queue::begin_recovery();
        is_new_ = false;
      }
      phase_ = Phase::kSuspects;
      return true;
    case Phase::kSuspects:
    case Phase::kDone:
      break;
  }
  return true;
}

}  // namespace metrics_refresh::queue
