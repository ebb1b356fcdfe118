/*
 * hold_registry(path) holds the server's lock on its list of background workers until a file of that
 * path exists, for a minute at most. Its wait event is then Extension. Meanwhile no process can register
 * another one.
 */
#include "postgres.h"

#include <unistd.h>

#include "fmgr.h"
#include "storage/lwlock.h"
#include "utils/builtins.h"
#include "utils/wait_event.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(hold_registry);

Datum
hold_registry(PG_FUNCTION_ARGS)
{
	char	   *path = text_to_cstring(PG_GETARG_TEXT_PP(0));

	LWLockAcquire(BackgroundWorkerLock, LW_EXCLUSIVE);
	pgstat_report_wait_start(PG_WAIT_EXTENSION);
	for (int i = 0; i < 6000 && access(path, F_OK) != 0; i++)
		pg_usleep(10000);
	pgstat_report_wait_end();
	LWLockRelease(BackgroundWorkerLock);
	PG_RETURN_VOID();
}
