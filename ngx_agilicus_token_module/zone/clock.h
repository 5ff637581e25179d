
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_ZONE_CLOCK_H_INCLUDED_
#define _NGX_AGT_ZONE_CLOCK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The clock of all ages: it never steps, and it counts the time that the
 * machine sleeps, which nginx's own does not.  Timers of nginx stay on
 * ngx_current_msec.
 */


/*
 * The clock in milliseconds, as of the event that is being handled.
 */
uint64_t ngx_agt_clock_mono(void);

/*
 * The clock in milliseconds as it is now: never behind what any process has
 * got from ngx_agt_clock_mono() before.
 */
uint64_t ngx_agt_clock_mono_now(void);


#endif /* _NGX_AGT_ZONE_CLOCK_H_INCLUDED_ */
