// A worker is a process with one slot. It waits until its slot gets a run, performs it (run.hpp),
// and waits for some time for the next one.
#pragma once

#include "pg/postgres.hpp"

extern "C" PGDLLEXPORT void mr_worker_main(Datum slot);
