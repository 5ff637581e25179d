
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#ifndef _NGX_AGT_API_SEAMS_H_INCLUDED_
#define _NGX_AGT_API_SEAMS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "api/curl.h"
#include "zone/clock.h"


/*
 * Everything by which calls, the feed and revocations act on the world outside
 * of their worker, or learn the time.  A simulation links these files as they
 * are compiled for nginx, with a table of its own in place of seams.c.
 */

typedef struct {

    /* milliseconds, monotonic, as of the event that is being handled */
    uint64_t            (*mono)(void);

    /* sets a timer, or sets it anew if it is set already; "ms" from now */
    void                (*add_timer)(ngx_event_t *ev, ngx_msec_t ms);

    /* deletes a timer; does nothing if it is not set */
    void                (*del_timer)(ngx_event_t *ev);

    /* has an event handled after the present one; once, if posted twice */
    void                (*post)(ngx_event_t *ev);

    /* takes a posted event back; does nothing if it is not posted */
    void                (*unpost)(ngx_event_t *ev);

    /* as ngx_agt_curl_submit() and ngx_agt_curl_cancel() */
    ngx_agt_curl_op_t  *(*submit)(ngx_agt_curl_t *pool,
                             ngx_agt_curl_request_t *request);
    void                (*cancel)(ngx_agt_curl_op_t *op);
} ngx_agt_seams_t;


extern const ngx_agt_seams_t  ngx_agt_seams;


#endif /* _NGX_AGT_API_SEAMS_H_INCLUDED_ */
