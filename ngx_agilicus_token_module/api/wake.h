
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_API_WAKE_H_INCLUDED_
#define _NGX_AGT_API_WAKE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


/*
 * How workers of one configuration wake each other: a descriptor for each
 * (eventfd), made by the master before it forks.  A worker that waits also
 * looks from time to time, since workers of another configuration cannot wake
 * it.
 */

typedef struct {
    ngx_fd_t    *fds;
    ngx_uint_t   n;
} ngx_agt_wake_t;


/*
 * Makes the descriptors of "n" workers; they are closed with the pool of the
 * cycle.  Where the system gives no descriptor, workers are not woken and only
 * look from time to time.  NGX_ERROR for lack of memory.
 */
ngx_int_t ngx_agt_wake_create(ngx_agt_wake_t *wake,
    ngx_uint_t n, ngx_cycle_t *cycle);

/*
 * Watches the descriptor of worker number "worker": "handler" is called when
 * another worker wakes this one.  NGX_ERROR where no connection is free.
 */
ngx_int_t ngx_agt_wake_init(const ngx_agt_wake_t *wake,
    ngx_uint_t worker, void (*handler)(void), ngx_log_t *log);
void ngx_agt_wake_exit(void);

/*
 * Wakes the workers whose numbers, modulo 64, have a bit in "mask".
 */
void ngx_agt_wake_up(const ngx_agt_wake_t *wake, uint64_t mask);


#endif /* _NGX_AGT_API_WAKE_H_INCLUDED_ */
