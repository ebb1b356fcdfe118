// The scheduler of one database: reads its jobs, lets core::Scheduler decide, hands runs to
// workers, and sleeps until the next due time or until somebody has news. It leaves when nothing is
// due for a while; the launcher starts it again in time.
#pragma once

#include "pg/postgres.hpp"

extern "C" PGDLLEXPORT void mr_scheduler_main(Datum database);
