// A worker: one process, one slot, one run at a time. It waits for its slot to be assigned a run,
// carries it out (run.hpp), and lingers a little for the next one.
#pragma once

#include "pg/postgres.hpp"

extern "C" PGDLLEXPORT void mr_worker_main(Datum slot);
