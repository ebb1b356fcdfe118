// What the file of claims (pg/claims_file.hpp) says about the last life of shared memory.
#pragma once

namespace metrics_refresh::queue {

/// Stores the jobs that were running when the server crashed in shared memory, and removes the
/// file. Does nothing if that has been done in this life of shared memory. REQUIRES: no worker has
/// run in it yet.
void take_claims_file();

}  // namespace metrics_refresh::queue
