/*
 * Other rules for time zones while servers run: preloaded, it opens the file of that name in the
 * folder MR_ZONES, if there is one, in place of one of the system's time zone data.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *
replaced(const char *path, char *room, size_t size)
{
	const char *folder = getenv("MR_ZONES");
	const char *name = strstr(path, "/zoneinfo/");
	int			saved_errno = errno;

	if (folder == NULL || name == NULL)
		return path;
	snprintf(room, size, "%s/%s", folder, name + strlen("/zoneinfo/"));
	if (access(room, R_OK) == 0)
		path = room;
	errno = saved_errno;
	return path;
}

#define OPEN(function) \
	int function(const char *path, int flags, ...) \
	{ \
		static int	(*next) (const char *, int, ...); \
		char		room[4096]; \
		mode_t		mode = 0; \
		va_list		arguments; \
		if (next == NULL) \
			*(void **) &next = dlsym(RTLD_NEXT, #function); \
		if (flags & (O_CREAT | O_TMPFILE)) \
		{ \
			va_start(arguments, flags); \
			mode = va_arg(arguments, mode_t); \
			va_end(arguments); \
		} \
		return next(replaced(path, room, sizeof room), flags, mode); \
	}

OPEN(open)
OPEN(open64)
