
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "api/seams.h"


static void ngx_agt_seams_add_timer(ngx_event_t *ev, ngx_msec_t ms);
static void ngx_agt_seams_del_timer(ngx_event_t *ev);
static void ngx_agt_seams_post(ngx_event_t *ev);
static void ngx_agt_seams_unpost(ngx_event_t *ev);


const ngx_agt_seams_t  ngx_agt_seams = {
    ngx_agt_clock_mono,
    ngx_agt_seams_add_timer,
    ngx_agt_seams_del_timer,
    ngx_agt_seams_post,
    ngx_agt_seams_unpost,
    ngx_agt_curl_submit,
    ngx_agt_curl_cancel
};


static void
ngx_agt_seams_add_timer(ngx_event_t *ev, ngx_msec_t ms)
{
    ngx_add_timer(ev, ms);
}


static void
ngx_agt_seams_del_timer(ngx_event_t *ev)
{
    if (ev->timer_set) {
        ngx_del_timer(ev);
    }
}


static void
ngx_agt_seams_post(ngx_event_t *ev)
{
    ngx_post_event(ev, &ngx_posted_events);
}


static void
ngx_agt_seams_unpost(ngx_event_t *ev)
{
    if (ev->posted) {
        ngx_delete_posted_event(ev);
    }
}
