
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_API_TICK_H_INCLUDED_
#define _NGX_AGT_API_TICK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


/*
 * Sets up an event for a timer of a worker that belongs to no connection and
 * keeps no worker from its end.  The timer is not set yet.
 */
void ngx_agt_tick_init(ngx_event_t *ev, ngx_event_handler_pt handler,
    ngx_log_t *log);


#endif /* _NGX_AGT_API_TICK_H_INCLUDED_ */
