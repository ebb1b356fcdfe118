// Makes a run give up its worker if another owner has waited too long without one.
#pragma once

namespace metrics_refresh::worker {

/// Call it if core::Plan::starving is set. Cancels one run at most, and none while another run is
/// ending. REQUIRES: the scheduler, outside any transaction.
void make_room_for_starving();

}  // namespace metrics_refresh::worker
