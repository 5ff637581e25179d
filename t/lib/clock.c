
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


/*
 * Preloaded: the clocks of the wall and of monotonic time are ahead by as many
 * milliseconds as stand in a file, which is named in the environment.  See
 * t/lib/TestClock.pm.
 */

#define _GNU_SOURCE

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *ahead;         /* milliseconds: wall, monotonic */

__attribute__((constructor)) static void
init(void)
{
    int          fd;
    void        *p;
    const char  *name = getenv("AGILICUS_TEST_CLOCK");

    fd = name ? open(name, O_RDONLY) : -1;

    if (fd != -1) {
        p = mmap(NULL, 16, PROT_READ, MAP_SHARED, fd, 0);
        ahead = (p == MAP_FAILED) ? NULL : p;
        close(fd);
    }
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
    int64_t  ns;
    int      rc = (int) syscall(SYS_clock_gettime, id, ts);

    if (rc != 0 || ahead == NULL) {
        return rc;
    }

    switch (id) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
        ns = ahead[0] * 1000000;
        break;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_MONOTONIC_RAW:
        ns = ahead[1] * 1000000;
        break;
    default:
        return 0;
    }

    ns += ts->tv_nsec;
    ts->tv_sec += ns / 1000000000;
    ts->tv_nsec = ns % 1000000000;

    if (ts->tv_nsec < 0) {
        ts->tv_nsec += 1000000000;
        ts->tv_sec--;
    }

    return 0;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME, &ts);

    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;

    return 0;
}

time_t
time(time_t *t)
{
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME_COARSE, &ts);

    if (t) {
        *t = ts.tv_sec;
    }

    return ts.tv_sec;
}
