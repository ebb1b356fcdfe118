// The scheduler of one database. It reads the jobs, assigns due runs to workers as core::Scheduler
// decides, and sleeps until the next due time or until news is posted. It exits if nothing is due
// for a while. The launcher starts it again in time.
#pragma once

#include "pg/postgres.hpp"

extern "C" PGDLLEXPORT void mr_scheduler_main(Datum database);
