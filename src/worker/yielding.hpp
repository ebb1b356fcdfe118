// Has a run give its worker up where an owner has waited too long without one.
#pragma once

namespace metrics_refresh::worker {

/// To be called when core::Plan::starving says so. Cancels one run at most, and none while another
/// is ending. REQUIRES: the scheduler, outside any transaction.
void make_room_for_starving();

}  // namespace metrics_refresh::worker
