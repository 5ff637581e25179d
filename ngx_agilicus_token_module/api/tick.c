
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "api/tick.h"


void
ngx_agt_tick_init(ngx_event_t *ev, ngx_event_handler_pt handler,
    ngx_log_t *log)
{
    /* the debug log names the descriptor of each event */

    static ngx_connection_t  dummy = { .fd = (ngx_socket_t) -1 };

    ngx_memzero(ev, sizeof(ngx_event_t));

    ev->handler = handler;
    ev->data = &dummy;
    ev->log = log;
    ev->cancelable = 1;
}
