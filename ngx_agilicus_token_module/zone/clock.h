
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_ZONE_CLOCK_H_INCLUDED_
#define _NGX_AGT_ZONE_CLOCK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The clock by which ages are measured.  It never steps, and it counts the time
 * that the machine sleeps, which nginx's own clock does not.  Timers of nginx
 * still use ngx_current_msec.
 */


/* both clocks, as the caller reads them once per decision */

typedef struct {
    uint64_t  mono;    /* milliseconds, of the clock that never steps */
    int64_t   wall;    /* seconds since the epoch */
} ngx_agt_clock_t;


/*
 * Sets "now" to both clocks as of the event that is being handled.
 */
void ngx_agt_clock_now(ngx_agt_clock_t *now);

/*
 * Returns the clock in milliseconds, as of the event that is being handled.
 */
uint64_t ngx_agt_clock_mono(void);

/*
 * Returns the clock in milliseconds as it is now.  The result is never behind
 * one that any process has got from ngx_agt_clock_mono() before.
 */
uint64_t ngx_agt_clock_mono_now(void);

/*
 * Returns 1 to one of all callers within a period of seconds, else 0.  "said"
 * lies in shared memory and has the second of the last 1, "wall" is the present
 * one.  A clock that was set back begins another period.
 */
static ngx_inline ngx_uint_t
ngx_agt_clock_once(ngx_atomic_t *said, int64_t wall, ngx_uint_t period)
{
    ngx_atomic_uint_t  was, now;

    was = *said;
    now = (ngx_atomic_uint_t) wall;

    /* another worker may have seen the next second already */

    return now + 1 - was > period && ngx_atomic_cmp_set(said, was, now);
}


#endif /* _NGX_AGT_ZONE_CLOCK_H_INCLUDED_ */
