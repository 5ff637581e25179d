
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "api/call_follow.h"
#include "api/call_send.h"


/* milliseconds between two looks at the mark of another worker */
#define NGX_AGT_CALL_POLL       20


static void ngx_agt_call_look(ngx_agt_call_t *call);


ngx_int_t
ngx_agt_call_lead(ngx_agt_call_t *call)
{
    ngx_int_t               rc;
    ngx_agt_call_worker_t  *w;

    if (!call->shared) {
        return NGX_OK;
    }

    w = &ngx_agt_worker;

    rc = ngx_agt_flight_lead(w->conf->first, call->identity, ngx_current_msec,
                             ngx_current_msec + call->patience
                             + NGX_AGT_CALL_MARGIN,
                             ngx_worker, w->conf->cycle, &call->flight);

    if (rc != NGX_AGAIN) {
        return NGX_OK;
    }

    if (call->state != NGX_AGT_CALL_FOLLOWING) {
        call->state = NGX_AGT_CALL_FOLLOWING;
        ngx_queue_insert_tail(&w->following, &call->queue);
    }

    if (!w->poll.timer_set) {
        ngx_agt_seams.add_timer(&w->poll, NGX_AGT_CALL_POLL);
    }

    return NGX_AGAIN;
}


ngx_uint_t
ngx_agt_call_ended(ngx_agt_call_t *call, ngx_agt_answer_t *answer)
{
    ngx_agt_answer_t  found;

    if (!call->shared) {
        return 0;
    }

    ngx_agt_answer_init(&found);

    found.class = NGX_AGT_CLASS_NONE;

    if (call->type->adopt(call, &found) != NGX_OK) {
        return 0;
    }

    *answer = found;

    return 1;
}


/* the end of a call wakes its followers, but a leader that died cannot */

void
ngx_agt_call_poll(ngx_event_t *ev)
{
    ngx_agt_call_follow();
}


void
ngx_agt_call_follow(void)
{
    ngx_queue_t            *q, looked;
    ngx_agt_call_worker_t  *w;

    w = &ngx_agt_worker;

    if (ngx_queue_empty(&w->following)) {
        return;
    }

    /* a call that ends may make others leave, or follow anew */

    ngx_queue_init(&looked);
    ngx_queue_add(&looked, &w->following);
    ngx_queue_init(&w->following);

    while (!ngx_queue_empty(&looked)) {
        q = ngx_queue_head(&looked);

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&w->following, q);

        ngx_agt_call_look(ngx_queue_data(q, ngx_agt_call_t, queue));
    }

    if (!ngx_queue_empty(&w->following) && !w->poll.timer_set) {
        ngx_agt_seams.add_timer(&w->poll, NGX_AGT_CALL_POLL);
    }
}


static void
ngx_agt_call_look(ngx_agt_call_t *call)
{
    ngx_int_t                rc;
    ngx_agt_answer_t         answer;
    ngx_agt_flight_result_t  result;

    rc = ngx_agt_flight_look(ngx_agt_worker.conf->first, &call->flight,
                             ngx_current_msec, &result);
    if (rc == NGX_AGAIN) {
        return;
    }

    ngx_agt_answer_init(&answer);

    answer.sent = call->started;
    answer.elapsed = (ngx_msec_t) (ngx_agt_seams.mono() - call->started);

    if (rc == NGX_OK) {
        answer.class = result.class;
        answer.reason = result.reason;
        answer.retry_after = result.retry_after;
        answer.transient = result.transient != 0;
        answer.cause = result.cause;

        if (result.class == NGX_AGT_CLASS_REFUSED
            || result.class == NGX_AGT_CLASS_INDETERMINATE
            || result.class == NGX_AGT_CLASS_SHED
            || call->type->adopt(call, &answer) == NGX_OK)
        {
            call->flight.id = 0;
            ngx_agt_call_end(call, &answer);
            return;
        }
    }

    /* the leader is gone, or the entry that it made: lead, or follow anew */

    if (ngx_agt_call_lead(call) == NGX_AGAIN) {
        return;
    }

    ngx_queue_remove(&call->queue);
    call->state = NGX_AGT_CALL_NEW;

    /* another call may have ended since the leader died */

    if (ngx_agt_call_ended(call, &answer)) {
        ngx_agt_call_end(call, &answer);
        return;
    }

    /* the leader may have given up because a budget was spent */

    if (ngx_agt_call_charge(call, &answer) != NGX_OK) {

        /*
         * The waiters may belong to other clients than the one whose budget is
         * spent.
         */

        answer.reason = NGX_AGT_REASON_RATE;
        ngx_agt_call_end(call, &answer);
        return;
    }

    if (ngx_agt_call_start(call, &answer) != NGX_OK) {
        ngx_agt_call_end(call, &answer);
    }
}
