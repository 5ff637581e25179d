
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "zone/clock.h"


static uint64_t ngx_agt_clock_read(clockid_t id);
static void ngx_agt_clock_look(void);


/* milliseconds that the machine has slept; as of the second "seen" */

static uint64_t  ngx_agt_clock_slept;
static time_t    ngx_agt_clock_seen;


void
ngx_agt_clock_now(ngx_agt_clock_t *now)
{
    now->mono = ngx_agt_clock_mono();
    now->wall = ngx_time();
}


uint64_t
ngx_agt_clock_mono(void)
{
#if (NGX_PTR_SIZE == 4)

    /* nginx's milliseconds come round every 49 days */

    return ngx_agt_clock_mono_now();

#else

    if (ngx_agt_clock_seen != ngx_time()) {
        ngx_agt_clock_look();
    }

    return ngx_current_msec + ngx_agt_clock_slept;

#endif
}


uint64_t
ngx_agt_clock_mono_now(void)
{
    ngx_agt_clock_look();

    /* another process may round up the fraction of a millisecond */

    return ngx_agt_clock_read(CLOCK_MONOTONIC) + ngx_agt_clock_slept + 1;
}


/*
 * The time of sleep is the difference of two clocks, which are read one after
 * the other.  Only a difference that has grown by more than the time of reading
 * them counts as sleep.
 */

static void
ngx_agt_clock_look(void)
{
#ifdef CLOCK_BOOTTIME

    uint64_t  boot, mono;

    boot = ngx_agt_clock_read(CLOCK_BOOTTIME);
    mono = ngx_agt_clock_read(CLOCK_MONOTONIC);

    if (boot > mono + ngx_agt_clock_slept + 5) {
        ngx_agt_clock_slept = boot - mono;
    }

#endif

    ngx_agt_clock_seen = ngx_time();
}


static uint64_t
ngx_agt_clock_read(clockid_t id)
{
    struct timespec  ts;

    if (clock_gettime(id, &ts) == -1) {
        return 0;
    }

    return (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;
}
