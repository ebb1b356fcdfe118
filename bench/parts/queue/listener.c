/*
 * A worker of the plain table that waits for NOTIFY: listener CONNINFO STATEMENT JOBS
 *
 * At each notification it repeats the statement, which claims and runs one job, until that returns no
 * row. It ends after so many jobs.
 */
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

static PGconn *session;

static void
fail(void)
{
	fprintf(stderr, "listener: %s", PQerrorMessage(session));
	exit(1);
}

static int
run(PGresult *result)
{
	int rows = PQntuples(result);
	ExecStatusType status = PQresultStatus(result);

	PQclear(result);
	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		fail();
	return rows;
}

static void
wait_for_notification(void)
{
	struct pollfd socket = {.fd = PQsocket(session), .events = POLLIN};
	PGnotify *notification = PQnotifies(session);

	while (notification == NULL)
	{
		if (poll(&socket, 1, -1) < 0 || !PQconsumeInput(session))
			fail();
		notification = PQnotifies(session);
	}
	for (; notification != NULL; notification = PQnotifies(session))
		PQfreemem(notification);
}

int
main(int count, char **arguments)
{
	int jobs = count == 4 ? atoi(arguments[3]) : 0;

	if (jobs <= 0)
		return 2;
	session = PQconnectdb(arguments[1]);
	if (PQstatus(session) != CONNECTION_OK)
		fail();
	run(PQprepare(session, "run", arguments[2], 0, NULL));
	run(PQexec(session, "LISTEN jobs"));
	puts("listening");
	fflush(stdout);
	for (;;)
	{
		while (run(PQexecPrepared(session, "run", 0, NULL, NULL, NULL, 0)) > 0)
			if (--jobs == 0)
				return 0;
		wait_for_notification();
	}
}
