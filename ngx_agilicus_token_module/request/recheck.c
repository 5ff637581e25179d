
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "request/recheck.h"
#include "request/access.h"
#include "request/detail.h"
#include "request/look_up.h"
#include "api/tick.h"
#include "token/text.h"


/* milliseconds at most below which a response is young and not looked at */
#define NGX_AGT_RECHECK_YOUNG   1000

/* milliseconds between two looks at the others, at least and at most */
#define NGX_AGT_RECHECK_MIN     200
#define NGX_AGT_RECHECK_MAX     1000


static ngx_uint_t ngx_agt_recheck_known(
    ngx_agt_client_t *client, ngx_agt_ctx_t *ctx);
static ngx_uint_t ngx_agt_recheck_same(ngx_agt_ctx_t *a, ngx_agt_ctx_t *b);
static void ngx_agt_recheck_tick(ngx_event_t *ev);
static void ngx_agt_recheck_client(ngx_agt_client_t *client);
static ngx_agt_reason_e ngx_agt_recheck_one(ngx_agt_ctx_t *ctx);
static void ngx_agt_recheck_cut(ngx_agt_ctx_t *ctx, ngx_agt_reason_e reason);


/* young requests in the order in which they came, and older ones */

static ngx_queue_t  ngx_agt_young;
static ngx_queue_t  ngx_agt_running;
static ngx_event_t  ngx_agt_recheck_event;
static ngx_msec_t   ngx_agt_recheck_pause;
static ngx_msec_t   ngx_agt_recheck_grown;


void
ngx_agt_recheck_init(ngx_msec_t shortest, ngx_log_t *log)
{
    ngx_queue_init(&ngx_agt_young);
    ngx_queue_init(&ngx_agt_running);

    ngx_agt_recheck_pause = 0;

    if (shortest) {

        /* a denial is seen after the sum of both at the latest */

        shortest = ngx_max(shortest / 2, NGX_AGT_RECHECK_MIN);

        ngx_agt_recheck_grown = ngx_min(shortest, NGX_AGT_RECHECK_YOUNG);

        ngx_agt_recheck_pause = ngx_min(shortest, NGX_AGT_RECHECK_MAX);
    }

    ngx_agt_tick_init(&ngx_agt_recheck_event, ngx_agt_recheck_tick, log);
}


ngx_int_t
ngx_agt_recheck_add(ngx_http_request_t *r, ngx_agt_ctx_t *ctx)
{
    ngx_http_cleanup_t  *cln;
    ngx_agt_client_t    *client;

    client = ctx->client;

    if (ngx_agt_recheck_pause == 0) {
        return NGX_OK;
    }

    if (!client->watched) {

        /* of the main request, also for a subrequest */

        cln = ngx_http_cleanup_add(r, 0);
        if (cln == NULL) {
            return NGX_ERROR;
        }

        cln->handler = ngx_agt_recheck_remove;
        cln->data = client;

    } else if (r == r->main) {
        ngx_queue_remove(&client->queue);
    }

    if (r == r->main) {
        client->watching = ctx;

    } else {

        if (!ngx_agt_recheck_known(client, ctx)) {
            ctx->next_part = client->parts;
            client->parts = ctx;
        }

        /* parts that come one after the other do not make a page young */

        if (client->watched) {
            return NGX_OK;
        }
    }

    client->watched = 1;
    client->since = ngx_current_msec;

    ngx_queue_insert_tail(&ngx_agt_young, &client->queue);

    if (!ngx_agt_recheck_event.timer_set) {
        ngx_add_timer(&ngx_agt_recheck_event, ngx_agt_recheck_pause);
    }

    return NGX_OK;
}


void
ngx_agt_recheck_remove(void *data)
{
    ngx_agt_client_t *client = data;

    if (client->watched) {
        ngx_queue_remove(&client->queue);

        client->watched = 0;
        client->watching = NULL;
        client->parts = NULL;
    }
}


/* 1 if the same token let in another part, or the page itself */

static ngx_uint_t
ngx_agt_recheck_known(ngx_agt_client_t *client, ngx_agt_ctx_t *ctx)
{
    ngx_agt_ctx_t  *other;

    other = client->watching;

    if (other && ngx_agt_recheck_same(other, ctx)) {
        return 1;
    }

    for (other = client->parts; other; other = other->next_part) {
        if (ngx_agt_recheck_same(other, ctx)) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_agt_recheck_same(ngx_agt_ctx_t *a, ngx_agt_ctx_t *b)
{
    return a == b
           || (a->api == b->api && a->leeway == b->leeway
               && ngx_agt_text_equal(&a->packed, &b->packed)
               && ngx_memcmp(a->digest, b->digest, NGX_AGT_DIGEST_LEN)
                  == 0);
}


static void
ngx_agt_recheck_tick(ngx_event_t *ev)
{
    ngx_queue_t       *q, looked;
    ngx_agt_client_t  *client;

    while (!ngx_queue_empty(&ngx_agt_young)) {
        q = ngx_queue_head(&ngx_agt_young);
        client = ngx_queue_data(q, ngx_agt_client_t, queue);

        if (ngx_current_msec - client->since < ngx_agt_recheck_grown)
        {
            break;
        }

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&ngx_agt_running, q);
    }

    /* cutting one may end others, so each is put back before it is looked at */

    ngx_queue_init(&looked);

    if (!ngx_queue_empty(&ngx_agt_running)) {
        ngx_queue_add(&looked, &ngx_agt_running);
        ngx_queue_init(&ngx_agt_running);
    }

    while (!ngx_queue_empty(&looked)) {
        q = ngx_queue_head(&looked);
        client = ngx_queue_data(q, ngx_agt_client_t, queue);

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&ngx_agt_running, q);

        ngx_agt_recheck_client(client);
    }

    if (!ngx_queue_empty(&ngx_agt_young) || !ngx_queue_empty(&ngx_agt_running))
    {
        ngx_add_timer(ev, ngx_agt_recheck_pause);
    }
}


/* looks at all decisions about the response; the first that fails cuts it */

static void
ngx_agt_recheck_client(ngx_agt_client_t *client)
{
    ngx_agt_ctx_t    *ctx;
    ngx_agt_reason_e  reason;

    ctx = client->watching;

    if (ctx && ctx->waiter.call) {

        /* the wait for a token for upstream ends with a look at denials */

        return;
    }

    if (ctx == NULL) {
        ctx = client->parts;
    }

    while (ctx) {
        reason = ngx_agt_recheck_one(ctx);

        if (reason != NGX_AGT_REASON_NONE) {
            ngx_agt_recheck_cut(ctx, reason);

            /* "client" may be gone */

            return;
        }

        ctx = (ctx == client->watching) ? client->parts : ctx->next_part;
    }
}


static ngx_agt_reason_e
ngx_agt_recheck_one(ngx_agt_ctx_t *ctx)
{
    ngx_atomic_uint_t          generation;
    ngx_agt_clock_t            now;
    ngx_agt_reason_e           denied;
    ngx_agt_denials_t         *denials;
    const ngx_agt_loc_conf_t  *lcf;

    ngx_agt_clock_now(&now);

    if (ngx_agt_policy_expired(&ctx->facts, ctx->leeway, ctx->late, now.wall))
    {
        lcf = ngx_http_get_module_loc_conf(ctx->request,
                                           ngx_agilicus_token_module);

        ngx_agt_look_up_note_late(ctx, lcf, now.wall);

        return NGX_AGT_REASON_EXPIRED;
    }

    if (ngx_agt_policy_ended(&ctx->facts, ctx->late, now.wall)) {
        return NGX_AGT_REASON_SAYS_NO;
    }

    denials = ngx_agt_request_denials(ctx->request);
    generation = ngx_agt_denials_generation(denials);

    if (generation == ctx->clean) {
        return NGX_AGT_REASON_NONE;
    }

    denied = ngx_agt_look_up_denial(ctx, &now);

    if (denied == NGX_AGT_REASON_NONE) {
        ctx->clean = generation;
    }

    return denied;
}


static void
ngx_agt_recheck_cut(ngx_agt_ctx_t *ctx, ngx_agt_reason_e reason)
{
    u_char               buf[NGX_AGT_DETAIL_LEN];
    ngx_str_t            detail;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;
    ngx_agt_ctx_t       *page;
    ngx_agt_verdict_e    verdict;

    r = ctx->request->main;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    page = ctx->client->watching;

    ngx_agt_recheck_remove(ctx->client);

    ngx_agt_zone_count(ngx_agt_request_first_zone(r), NGX_AGT_COUNT_CUT);

    switch (reason) {

    case NGX_AGT_REASON_EXPIRED:
        verdict = NGX_AGT_VERDICT_EXPIRED;
        break;

    case NGX_AGT_REASON_SAYS_NO:
        verdict = NGX_AGT_VERDICT_INVALID;
        break;

    default:
        verdict = NGX_AGT_VERDICT_REVOKED;
    }

    ngx_agt_decision_set(ctx, verdict, reason);
    ctx->cut = 1;

    if (page) {
        ngx_agt_decision_set(page, verdict, reason);
        page->cut = 1;
    }

    detail.data = buf;
    detail.len = (c->log->log_level >= NGX_LOG_INFO) ? ngx_agt_detail(ctx, buf)
                                                     : 0;

    ngx_log_error(NGX_LOG_INFO, c->log, 0,
                  "agilicus token: response cut: %V, %V%s%V",
                  ngx_agt_verdict_word(ctx->decision.verdict),
                  ngx_agt_reason_word(reason),
                  detail.len ? ": " : "", &detail);

    /* the client must not take the part sent for the whole response */

    c->error = 1;

    /* nginx expects a reference from a handler that runs out of an event */

    r->count++;

    ngx_http_finalize_request(r, NGX_HTTP_CLOSE);
    ngx_http_run_posted_requests(c);
}
