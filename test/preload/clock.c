/*
 * A clock that a test steers while the server runs: preloaded, it answers for CLOCK_REALTIME.
 * MR_CLOCK names a file that every process maps: at the real time `real` the steered clock shows
 * `shown`, and from there it goes `rate` times as fast. Waits that end by a timeout are cut short
 * accordingly. CLOCK_MONOTONIC, interval timers and timerfd stay real, so a process that sleeps
 * does not learn that its clock was set: the test wakes it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S INT64_C(1000000000)

typedef struct Setting
{
	int64_t		real;			/* ns since 1970 */
	int64_t		shown;			/* ns since 1970 */
	double		rate;
} Setting;

typedef struct Steering
{
	_Atomic uint64_t version;	/* odd while the test writes; 0: the real clock is shown */
	Setting		setting;
} Steering;

static const Steering *steering;

__attribute__((constructor)) static void
map_steering(void)
{
	const char *path = getenv("MR_CLOCK");
	int			fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void	   *map;

	if (fd < 0)
		return;
	map = mmap(NULL, sizeof(Steering), PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (map != MAP_FAILED)
		steering = map;
}

static int
read_setting(Setting *setting)
{
	uint64_t	before;
	uint64_t	after;

	if (steering == NULL)
		return 0;
	do
	{
		before = atomic_load_explicit(&steering->version, memory_order_acquire);
		*setting = *(const volatile Setting *) &steering->setting;
		atomic_thread_fence(memory_order_acquire);
		after = atomic_load_explicit(&steering->version, memory_order_relaxed);
	} while (before != after || before % 2 != 0);
	return before != 0;
}

static int64_t
now(void)
{
	struct timespec real;
	Setting		setting;
	int64_t		ns;

	syscall(SYS_clock_gettime, CLOCK_REALTIME, &real);
	ns = real.tv_sec * NS_PER_S + real.tv_nsec;
	if (!read_setting(&setting))
		return ns;
	return setting.shown + (int64_t) ((double) (ns - setting.real) * setting.rate);
}

int
clock_gettime(clockid_t id, struct timespec *result)
{
	int64_t		ns;

	if (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE)
		return (int) syscall(SYS_clock_gettime, id, result);
	ns = now();
	result->tv_sec = ns / NS_PER_S;
	result->tv_nsec = ns % NS_PER_S;
	return 0;
}

int
gettimeofday(struct timeval *restrict result, void *restrict zone)
{
	int64_t		ns = now();

	(void) zone;
	result->tv_sec = ns / NS_PER_S;
	result->tv_usec = ns % NS_PER_S / 1000;
	return 0;
}

time_t
time(time_t *result)
{
	time_t		seconds = now() / NS_PER_S;

	if (result != NULL)
		*result = seconds;
	return seconds;
}

int
epoll_wait(int epoll, struct epoll_event *events, int max_events, int timeout_ms)
{
	static int	(*real) (int, struct epoll_event *, int, int);
	Setting		setting;

	if (real == NULL)
		*(void **) &real = dlsym(RTLD_NEXT, "epoll_wait");
	if (timeout_ms > 0 && read_setting(&setting) && setting.rate > 1)
		timeout_ms = (int) (timeout_ms / setting.rate) + 1;
	return real(epoll, events, max_events, timeout_ms);
}
