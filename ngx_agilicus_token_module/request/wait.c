
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "request/wait.h"
#include "request/access.h"
#include "request/context.h"
#include "request/look_up.h"
#include "upstream/exchange.h"


static void ngx_agt_answered(void *data, ngx_agt_answer_t *answer);
static void ngx_agt_take_answer(ngx_agt_ctx_t *ctx, ngx_agt_answer_t *answer);
static ngx_uint_t ngx_agt_feed_is_dead(ngx_http_request_t *r,
    const ngx_agt_clock_t *now);
static void ngx_agt_resume(ngx_event_t *ev);
static void ngx_agt_detach(void *data);


ngx_int_t
ngx_agt_ask(ngx_http_request_t *r, ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf)
{
    ngx_int_t                rc;
    ngx_connection_t        *c;
    ngx_agt_zone_t          *first;
    ngx_agt_answer_t         answer;
    ngx_agt_introspect_t     introspect;
    ngx_agt_budget_client_t  client;

    c = r->connection;
    first = ngx_agt_request_first_zone(r);

    ngx_memzero(&introspect, sizeof(ngx_agt_introspect_t));

    introspect.origin = lcf->origin;
    introspect.token = ctx->token;
    introspect.digest = ctx->digest;
    introspect.connect_timeout = lcf->api_connect_timeout;
    introspect.timeout = lcf->api_timeout;

    introspect.seen = ctx->seen;
    introspect.invalid = lcf->lifetimes.invalid;

    /* free of charge is only what was good once */

    if (!ctx->has_facts) {
        ngx_agt_budget_client(c->sockaddr, &client);

        introspect.client = &client;
        introspect.charged = 1;
    }

    ctx->waiter.done = ngx_agt_answered;
    ctx->waiter.data = ctx;

    rc = ngx_agt_api_introspect(&introspect, &ctx->waiter, &answer);

    if (rc != NGX_AGAIN) {

        if (rc == NGX_OK) {
            ctx->cache = NGX_AGT_CACHE_JOINED;
            ngx_agt_zone_count(first, NGX_AGT_COUNT_JOINED);
        }

        ngx_agt_take_answer(ctx, &answer);
        return NGX_OK;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "agilicus token waits, joined: %d",
                   (int) ctx->waiter.joined);

    if (lcf->origin->zone == NULL) {
        ctx->cache = NGX_AGT_CACHE_BYPASS;
        ngx_agt_zone_count(first, NGX_AGT_COUNT_BYPASS);

    } else if (ctx->waiter.joined) {
        ctx->cache = NGX_AGT_CACHE_JOINED;
        ngx_agt_zone_count(first, NGX_AGT_COUNT_JOINED);

    } else {
        ctx->cache = NGX_AGT_CACHE_MISS;
        ngx_agt_zone_count(first, NGX_AGT_COUNT_MISS);
    }

    ctx->state = NGX_AGT_STATE_WAITING;

    if (ngx_agt_wait(r, ctx, lcf) != NGX_AGAIN) {
        ngx_agt_decision_set(ctx, NGX_AGT_VERDICT_UNAVAILABLE,
                             NGX_AGT_REASON_INTERNAL);
        return NGX_OK;
    }

    return NGX_AGAIN;
}


/* called from the event of the call: takes what it needs and wakes up later */

static void
ngx_agt_answered(void *data, ngx_agt_answer_t *answer)
{
    ngx_agt_ctx_t *ctx = data;

    ngx_agt_take_answer(ctx, answer);

    ctx->state = NGX_AGT_STATE_ANSWERED;

    ngx_agt_wake(ctx);
}


/*
 * Takes over what came of a call.  Where that is no answer at all, facts that
 * are not too old yet may serve, if the location says so: a denial stands
 * against them as ever, and so does their expiry.
 */

static void
ngx_agt_take_answer(ngx_agt_ctx_t *ctx, ngx_agt_answer_t *answer)
{
    ngx_agt_clock_t     now;
    ngx_agt_denials_t  *denials;

    denials = ngx_agt_request_denials(ctx->request);

    ctx->api_time = answer->elapsed;
    ctx->has_api_time = 1;
    ctx->retry_after = answer->retry_after;

    if (answer->class == NGX_AGT_CLASS_ACTIVE) {
        ctx->late = 0;

        if (ngx_agt_ctx_keep_facts(ctx->request, ctx, &answer->facts)
                != NGX_OK
            || ngx_agt_ctx_keep_rules(ctx->request, ctx, &answer->rules)
                != NGX_OK)
        {
            answer->class = NGX_AGT_CLASS_INDETERMINATE;
            answer->reason = NGX_AGT_REASON_INTERNAL;
            answer->transient = 0;
        }
    }

    ngx_agt_zone_now(&now);

    if (answer->transient && ctx->stale_until > now.mono
        && !ngx_agt_feed_is_dead(ctx->request, &now))
    {
        ctx->class = NGX_AGT_CLASS_ACTIVE;
        ctx->clean = ngx_agt_denials_generation(denials);
        ctx->decision.reason = ngx_agt_look_up_denial(ctx, &now);

        if (ctx->decision.reason != NGX_AGT_REASON_NONE) {
            ctx->class = NGX_AGT_CLASS_REVOKED;
            return;
        }

        ctx->cache = NGX_AGT_CACHE_STALE;
        ngx_agt_zone_count(
                                ngx_agt_request_first_zone(ctx->request),
                                NGX_AGT_COUNT_STALE);

        return;
    }

    ctx->class = answer->class;
    ctx->decision.reason = answer->reason;
    ctx->sent = answer->sent;
    ctx->first_asked = answer->asked;
    ctx->clean = answer->clean;

    if (answer->class != NGX_AGT_CLASS_ACTIVE) {
        ctx->has_facts = 0;
    }
}


/* a feed that is configured and has not been heard of for too long */

static ngx_uint_t
ngx_agt_feed_is_dead(ngx_http_request_t *r, const ngx_agt_clock_t *now)
{
    const ngx_agt_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_agilicus_token_module);

    return mcf->feed.api
           && ngx_agt_denials_feed(mcf->api.denials,
                                   mcf->feed.api->digest,
                                   now->mono)
              == NGX_AGT_FEED_DEAD;
}


ngx_int_t
ngx_agt_wait(ngx_http_request_t *r, ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf)
{
    uint64_t             waited;
    ngx_connection_t    *c;
    ngx_http_cleanup_t  *cln;

    c = r->connection;

    /* runs at the latest when the request is terminated, before it is freed */

    if (!ctx->cleaned) {
        cln = ngx_http_cleanup_add(r, 0);

        if (cln == NULL) {
            ngx_agt_call_leave(&ctx->waiter);
            return NGX_ERROR;
        }

        cln->handler = ngx_agt_detach;
        cln->data = ctx;

        ctx->cleaned = 1;
        ctx->asked = ngx_current_msec;
    }

    /*
     * One deadline for all that a request waits for.  Not cancelable: a worker
     * that quits stays until the request is served.
     */

    waited = ngx_current_msec - ctx->asked;

    ctx->event.handler = ngx_agt_resume;
    ctx->event.data = ctx;
    ctx->event.log = c->log;

    ngx_add_timer(&ctx->event, waited < lcf->api_timeout
                               ? lcf->api_timeout - (ngx_msec_t) waited : 1);

    ctx->waiting = 1;

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    if (c->read->ready) {
        ngx_post_event(c->read, &ngx_posted_events);

    } else if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_agt_detach(ctx);
        return NGX_ERROR;
    }

    return NGX_AGAIN;
}


void
ngx_agt_wake(ngx_agt_ctx_t *ctx)
{
    ctx->waiting = 0;

    if (ctx->event.timer_set) {
        ngx_del_timer(&ctx->event);
    }

    ngx_post_event(&ctx->event, &ngx_posted_events);
}


/* the deadline has come, or the answer has */

static void
ngx_agt_resume(ngx_event_t *ev)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;
    ngx_agt_ctx_t       *ctx;
    ngx_agt_answer_t     answer;

    ctx = ev->data;
    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "agilicus token resumes, state: %d", (int) ctx->state);

    if (ngx_http_get_module_ctx(r, ngx_agilicus_token_module) != ctx) {

        /* the client has left, and nginx went on to a "post_action" */

        ngx_agt_detach(ctx);
        return;
    }

    if (ctx->waiting) {
        ngx_agt_call_leave(&ctx->waiter);

        ctx->waiting = 0;

        ngx_memzero(&answer, sizeof(ngx_agt_answer_t));

        answer.class = NGX_AGT_CLASS_INDETERMINATE;
        answer.reason = NGX_AGT_REASON_TIMEOUT;
        answer.elapsed = ngx_current_msec - ctx->asked;
        answer.transient = 1;

        if (ctx->exchanging) {
            ngx_agt_exchange_take(ctx, &answer);

        } else {
            ngx_agt_take_answer(ctx, &answer);
            ctx->state = NGX_AGT_STATE_ANSWERED;
        }
    }

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_core_run_phases;

    ngx_http_core_run_phases(r);

    /* "r" and "ctx" may be gone */

    ngx_http_run_posted_requests(c);
}


/* releases everything that could still call back */

static void
ngx_agt_detach(void *data)
{
    ngx_agt_ctx_t *ctx = data;

    ngx_agt_call_leave(&ctx->waiter);

    ctx->waiting = 0;

    if (ctx->event.timer_set) {
        ngx_del_timer(&ctx->event);
    }

    if (ctx->event.posted) {
        ngx_delete_posted_event(&ctx->event);
    }
}
