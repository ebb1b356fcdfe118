/*
 * A disk that is full for some files: preloaded, it refuses with ENOSPC whatever would make a file
 * longer whose name ends as a line of the file MR_DISK_FULL says, while that file exists. What is
 * there can be read and written, as on a real one.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static int
ends_with(const char *name, const char *end)
{
	size_t		length = strlen(name);
	size_t		end_length = strlen(end);

	return end_length > 0 && length >= end_length &&
		strcmp(name + length - end_length, end) == 0;
}

static int
is_named(const char *list_path, const char *name)
{
	FILE	   *list = fopen(list_path, "r");
	char		line[1024];
	int			found = 0;

	if (list == NULL)
		return 0;
	while (!found && fgets(line, sizeof line, list) != NULL)
	{
		line[strcspn(line, "\n")] = '\0';
		found = ends_with(name, line);
	}
	fclose(list);
	return found;
}

static int
is_refused(int fd, off_t end)
{
	const char *list_path = getenv("MR_DISK_FULL");
	int			saved_errno = errno;
	char		link[64];
	char		name[4096];
	struct stat status;
	ssize_t		length;
	int			refused = 0;

	if (list_path == NULL || access(list_path, F_OK) != 0)
		goto done;
	if (fstat(fd, &status) != 0 || end <= status.st_size)
		goto done;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	length = readlink(link, name, sizeof name - 1);
	if (length < 0)
		goto done;
	name[length] = '\0';
	refused = is_named(list_path, name);
done:
	errno = refused ? ENOSPC : saved_errno;
	return refused;
}

#define NEXT(function) \
	static __typeof__(function) *next; \
	if (next == NULL) \
		*(void **) &next = dlsym(RTLD_NEXT, #function)

ssize_t
pwrite(int fd, const void *data, size_t size, off_t offset)
{
	NEXT(pwrite);
	return is_refused(fd, offset + (off_t) size) ? -1 : next(fd, data, size, offset);
}

ssize_t
pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
	off_t		end = offset;

	NEXT(pwritev);
	for (int i = 0; i < count; i++)
		end += (off_t) parts[i].iov_len;
	return is_refused(fd, end) ? -1 : next(fd, parts, count, offset);
}

/* Returns an error number; the server falls back to nothing else for ENOSPC. */
int
posix_fallocate(int fd, off_t offset, off_t size)
{
	NEXT(posix_fallocate);
	return is_refused(fd, offset + size) ? ENOSPC : next(fd, offset, size);
}
