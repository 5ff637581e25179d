
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "request/wait.h"


static ngx_int_t ngx_agt_wait_begin(ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf);
static void ngx_agt_wait_answered(void *data, ngx_agt_answer_t *answer);
static void ngx_agt_wait_resume(ngx_event_t *ev);
static void ngx_agt_wait_give_up(ngx_agt_ctx_t *ctx, ngx_agt_reason_e reason);
static void ngx_agt_wait_detach(void *data);


ngx_int_t
ngx_agt_wait(ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf,
    ngx_int_t rc, ngx_agt_answer_t *answer, ngx_agt_wait_take_pt take)
{
    if (rc != NGX_AGAIN) {
        take(ctx, answer);
        ngx_agt_call_forget(answer);

        return NGX_OK;
    }

    ctx->waiter.done = ngx_agt_wait_answered;
    ctx->waiter.data = ctx;
    ctx->take = take;

    if (ngx_agt_wait_begin(ctx, lcf) == NGX_OK) {
        return NGX_AGAIN;
    }

    ngx_agt_wait_give_up(ctx, NGX_AGT_REASON_INTERNAL);

    return NGX_OK;
}


static ngx_int_t
ngx_agt_wait_begin(ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf)
{
    uint64_t             waited;
    ngx_connection_t    *c;
    ngx_http_cleanup_t  *cln;
    ngx_http_request_t  *r;

    r = ctx->request;
    c = r->connection;

    if (ctx->event.handler == NULL) {

        ctx->asked = ngx_current_msec;

        /* runs at the latest when the request is terminated, before its end */

        cln = ngx_http_cleanup_add(r, 0);
        if (cln == NULL) {
            return NGX_ERROR;
        }

        cln->handler = ngx_agt_wait_detach;
        cln->data = ctx;

        ctx->event.handler = ngx_agt_wait_resume;
        ctx->event.data = ctx;
        ctx->event.log = c->log;
    }

    /*
     * One deadline for all that a request waits for.  Not cancelable: a worker
     * that quits stays until the request is served.
     */

    waited = ngx_current_msec - ctx->asked;

    ngx_add_timer(&ctx->event, waited < lcf->api_timeout
                               ? lcf->api_timeout - (ngx_msec_t) waited : 1);

    /* a sign-out is made although its client has left meanwhile */

    r->read_event_handler = ctx->revoke ? ngx_http_block_reading
                                        : ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    if (c->read->ready) {
        ngx_post_event(c->read, &ngx_posted_events);
        return NGX_OK;
    }

    return ngx_handle_read_event(c->read, 0);
}


/* called from the event of the call: the request itself goes on later */

static void
ngx_agt_wait_answered(void *data, ngx_agt_answer_t *answer)
{
    ngx_agt_ctx_t *ctx = data;

    ctx->take(ctx, answer);

    if (ctx->event.timer_set) {
        ngx_del_timer(&ctx->event);
    }

    ngx_post_event(&ctx->event, &ngx_posted_events);
}


/* called after the answer, or at the deadline, where the waiter still waits */

static void
ngx_agt_wait_resume(ngx_event_t *ev)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;
    ngx_agt_ctx_t       *ctx;

    ctx = ev->data;
    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "agilicus token resumes, timed out: %d",
                   ctx->waiter.call != NULL);

    if (ngx_http_get_module_ctx(r, ngx_agilicus_token_module) != ctx) {

        /* the client has left, and nginx went on to a "post_action" */

        ngx_agt_wait_detach(ctx);
        return;
    }

    if (ctx->waiter.call) {
        ngx_agt_wait_give_up(ctx, NGX_AGT_REASON_TIMEOUT);
    }

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_core_run_phases;

    ngx_http_core_run_phases(r);

    /* "r" and "ctx" may be gone */

    ngx_http_run_posted_requests(c);
}


static void
ngx_agt_wait_give_up(ngx_agt_ctx_t *ctx, ngx_agt_reason_e reason)
{
    ngx_agt_answer_t  answer;

    ngx_agt_wait_detach(ctx);

    ngx_memzero(&answer, sizeof(ngx_agt_answer_t));

    answer.class = NGX_AGT_CLASS_INDETERMINATE;
    answer.reason = reason;
    answer.elapsed = ngx_current_msec - ctx->asked;
    answer.transient = (reason == NGX_AGT_REASON_TIMEOUT);

    ctx->take(ctx, &answer);
}


/* releases everything that could still call back */

static void
ngx_agt_wait_detach(void *data)
{
    ngx_agt_ctx_t *ctx = data;

    if (ctx->waiter.call) {
        ctx->waiter.leave(&ctx->waiter);
    }

    if (ctx->event.timer_set) {
        ngx_del_timer(&ctx->event);
    }

    if (ctx->event.posted) {
        ngx_delete_posted_event(&ctx->event);
    }
}
