
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


/*
 * How long the workers wait for the zone.  Linked with --wrap in front of
 * nginx's lock, into a module that is built for this only; says it at the
 * worker's exit.
 */

#include <ngx_config.h>
#include <ngx_core.h>

#include <time.h>


void __real_ngx_shmtx_lock(ngx_shmtx_t *mtx);
void __wrap_ngx_shmtx_lock(ngx_shmtx_t *mtx);


static uint64_t  ngx_agt_locks;
static uint64_t  ngx_agt_waits;
static uint64_t  ngx_agt_waited;


static uint64_t
ngx_agt_nanoseconds(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;
}


void
__wrap_ngx_shmtx_lock(ngx_shmtx_t *mtx)
{
    uint64_t  start;

    ngx_agt_locks++;

    if (ngx_shmtx_trylock(mtx)) {
        return;
    }

    start = ngx_agt_nanoseconds();

    __real_ngx_shmtx_lock(mtx);

    ngx_agt_waits++;
    ngx_agt_waited += ngx_agt_nanoseconds() - start;
}


__attribute__((destructor))
static void
ngx_agt_tell(void)
{
    /* in one piece, for the others say it at the same time */

    (void) dprintf(STDERR_FILENO, "worker %d locks %llu waits %llu ns %llu\n",
                   (int) getpid(), (unsigned long long) ngx_agt_locks,
                   (unsigned long long) ngx_agt_waits,
                   (unsigned long long) ngx_agt_waited);
}
