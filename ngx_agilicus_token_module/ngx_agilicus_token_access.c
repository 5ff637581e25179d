
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "ngx_agilicus_token_module.h"


static ngx_int_t ngx_agilicus_token_check_subrequest(ngx_http_request_t *r);
static ngx_int_t ngx_agilicus_token_check(ngx_http_request_t *r,
    const ngx_agilicus_token_loc_conf_t *lcf, ngx_agilicus_token_ctx_t **out);
static ngx_uint_t ngx_agilicus_token_is_preflight(ngx_http_request_t *r);
static ngx_int_t ngx_agilicus_token_ask(ngx_http_request_t *r,
    ngx_agilicus_token_ctx_t *ctx, const ngx_agilicus_token_loc_conf_t *lcf);
static void ngx_agilicus_token_answered(void *data,
    ngx_agilicus_token_answer_t *answer);
static void ngx_agilicus_token_take_answer(ngx_agilicus_token_ctx_t *ctx,
    ngx_agilicus_token_answer_t *answer);
static void ngx_agilicus_token_resume(ngx_event_t *ev);
static void ngx_agilicus_token_detach(void *data);
static ngx_int_t ngx_agilicus_token_decide(ngx_http_request_t *r,
    ngx_agilicus_token_ctx_t *ctx, const ngx_agilicus_token_loc_conf_t *lcf);
static void ngx_agilicus_token_conclude(ngx_http_request_t *r,
    ngx_agilicus_token_ctx_t *ctx, const ngx_agilicus_token_loc_conf_t *lcf);


ngx_int_t
ngx_agilicus_token_access_handler(ngx_http_request_t *r)
{
    ngx_int_t                             rc;
    ngx_http_core_loc_conf_t             *clcf;
    ngx_agilicus_token_ctx_t             *ctx;
    const ngx_agilicus_token_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_agilicus_token_module);

    if (lcf->enable == NGX_AGILICUS_TOKEN_OFF) {
        return NGX_DECLINED;
    }

    rc = ngx_agilicus_token_check(r, lcf, &ctx);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (lcf->enable == NGX_AGILICUS_TOKEN_REPORT) {

        /* neither refuses nor, under "satisfy any", allows */

        return NGX_DECLINED;
    }

    if (ctx == NULL) {
        return rc;
    }

    if (rc == NGX_OK) {

        if (lcf->recheck && ctx->has_facts
            && ngx_agilicus_token_recheck_add(r, ctx) != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return NGX_OK;
    }

    if (ctx->client->watched) {
        ngx_agilicus_token_recheck_remove(ctx->client);
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->satisfy == NGX_HTTP_SATISFY_ANY) {

        /*
         * Another module may still allow; if none does, the last handler says
         * what is due.  Whatever the status is, it must count as a refusal.
         */

        return (rc == NGX_HTTP_UNAUTHORIZED) ? rc : NGX_HTTP_FORBIDDEN;
    }

    return ngx_agilicus_token_challenge(r, ctx);
}


/*
 * Runs only where nobody has allowed the request under "satisfy any": puts the
 * status and the headers of our refusal in place.
 */

ngx_int_t
ngx_agilicus_token_access_last_handler(ngx_http_request_t *r)
{
    ngx_int_t                             rc;
    ngx_http_core_loc_conf_t             *clcf;
    ngx_agilicus_token_ctx_t             *ctx;
    const ngx_agilicus_token_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_agilicus_token_module);

    if (lcf->enable != NGX_AGILICUS_TOKEN_ON || r->access_code == 0) {
        return NGX_DECLINED;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->satisfy != NGX_HTTP_SATISFY_ANY) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_agilicus_token_module);

    if (ctx == NULL || ctx->state != NGX_AGILICUS_TOKEN_STATE_DONE
        || ctx->status == 0)
    {
        return NGX_DECLINED;
    }

    switch (ctx->status) {

    case NGX_HTTP_UNAUTHORIZED:
    case NGX_HTTP_FORBIDDEN:

        if ((ngx_int_t) r->access_code != ctx->status) {
            return NGX_DECLINED;
        }

        break;
    }

    rc = ngx_agilicus_token_challenge(r, ctx);

    if (rc == NGX_HTTP_INTERNAL_SERVER_ERROR) {
        return rc;
    }

    r->access_code = rc;

    return NGX_DECLINED;
}


/*
 * nginx has no access phase for subrequests; and what goes upstream is settled
 * when all of that phase have let the request in.
 */

ngx_int_t
ngx_agilicus_token_precontent_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    if (r != r->main) {
        rc = ngx_agilicus_token_check_subrequest(r);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    rc = ngx_agilicus_token_upstream(r);

    /* on to the next handler, so that try_files and mirror still run */

    return (rc == NGX_OK) ? NGX_DECLINED : rc;
}


static ngx_int_t
ngx_agilicus_token_check_subrequest(ngx_http_request_t *r)
{
    ngx_int_t                             rc;
    ngx_agilicus_token_ctx_t             *ctx;
    const ngx_agilicus_token_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_agilicus_token_module);

    if (lcf->enable == NGX_AGILICUS_TOKEN_OFF) {
        return NGX_OK;
    }

    rc = ngx_agilicus_token_check(r, lcf, &ctx);

    if (rc == NGX_AGAIN || rc == NGX_OK) {
        return rc;
    }

    if (lcf->enable == NGX_AGILICUS_TOKEN_REPORT) {
        return NGX_OK;
    }

    return ctx ? ngx_agilicus_token_challenge(r, ctx) : rc;
}


/*
 * NGX_OK if the request is allowed, NGX_AGAIN while it waits, else the status
 * of the refusal; "*out" is NULL only if there was no memory for a context.
 */

static ngx_int_t
ngx_agilicus_token_check(ngx_http_request_t *r,
    const ngx_agilicus_token_loc_conf_t *lcf, ngx_agilicus_token_ctx_t **out)
{
    ngx_int_t                  rc;
    ngx_agilicus_token_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_agilicus_token_module);

    if (ctx == NULL || ctx->state == NGX_AGILICUS_TOKEN_STATE_DONE) {
        ctx = ngx_agilicus_token_create_ctx(r);

        if (ctx == NULL) {
            *out = NULL;
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    *out = ctx;

    if (ctx->state == NGX_AGILICUS_TOKEN_STATE_WAITING
        || ctx->state == NGX_AGILICUS_TOKEN_STATE_READING)
    {
        return NGX_AGAIN;
    }

    if (ctx->state == NGX_AGILICUS_TOKEN_STATE_NEW) {

        rc = NGX_OK;

        ctx->api = lcf->origin->api;
        ctx->leeway = lcf->leeway;

        if (ngx_agilicus_token_take(r, ctx, lcf)) {
            rc = ngx_agilicus_token_look_up(r, ctx, lcf);

            if (rc == NGX_DECLINED) {
                rc = ngx_agilicus_token_ask(r, ctx, lcf);
            }
        }

        if (rc == NGX_AGAIN) {
            return NGX_AGAIN;
        }
    }

    if (ctx->decision.verdict == NGX_AGILICUS_TOKEN_VERDICT_MISSING
        && lcf->preflight == NGX_AGILICUS_TOKEN_PREFLIGHT_PASS
        && ngx_agilicus_token_is_preflight(r))
    {
        /* nothing was decided about anybody */

        ngx_agilicus_token_say(ctx, NGX_AGILICUS_TOKEN_VERDICT_NONE,
                               NGX_AGILICUS_TOKEN_REASON_NONE);
        ctx->state = NGX_AGILICUS_TOKEN_STATE_DONE;

        return NGX_OK;
    }

    if (ctx->decision.verdict == NGX_AGILICUS_TOKEN_VERDICT_NONE) {
        rc = ngx_agilicus_token_decide(r, ctx, lcf);

        if (rc == NGX_AGAIN) {
            rc = ngx_agilicus_token_match_wait(r, ctx);

            if (rc == NGX_DONE) {
                return NGX_AGAIN;
            }

            /* too large, or the client is gone: as nginx would have it */

            *out = NULL;
            return rc;
        }
    }

    ngx_agilicus_token_conclude(r, ctx, lcf);

    return ctx->status ? ctx->status : NGX_OK;
}


/* the request that a browser sends by itself, which never has a token */

static ngx_uint_t
ngx_agilicus_token_is_preflight(ngx_http_request_t *r)
{
    ngx_uint_t        i, origin, method;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    if (r->method != NGX_HTTP_OPTIONS) {
        return 0;
    }

    origin = 0;
    method = 0;

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].value.len == 0) {
            continue;
        }

        if (h[i].key.len == sizeof("Origin") - 1
            && ngx_strncasecmp(h[i].key.data, (u_char *) "Origin",
                               h[i].key.len)
               == 0)
        {
            origin = 1;
        }

        if (h[i].key.len == sizeof("Access-Control-Request-Method") - 1
            && ngx_strncasecmp(h[i].key.data,
                               (u_char *) "Access-Control-Request-Method",
                               h[i].key.len)
               == 0)
        {
            method = 1;
        }
    }

    return origin && method;
}


ngx_agilicus_token_ctx_t *
ngx_agilicus_token_create_ctx(ngx_http_request_t *r)
{
    ngx_agilicus_token_ctx_t     *ctx;
    ngx_agilicus_token_client_t  *client;

    client = ngx_agilicus_token_get_client(r);
    if (client == NULL) {
        return NULL;
    }

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_agilicus_token_ctx_t));
    if (ctx == NULL) {
        return NULL;
    }

    ctx->request = r;
    ctx->client = client;
    ctx->retry_after = -1;

    if (r == r->main) {
        client->last = ctx;
    }

    ngx_http_set_ctx(r, ctx, ngx_agilicus_token_module);

    return ctx;
}


/* NGX_AGAIN if the request waits now, NGX_OK with a decision */

static ngx_int_t
ngx_agilicus_token_ask(ngx_http_request_t *r, ngx_agilicus_token_ctx_t *ctx,
    const ngx_agilicus_token_loc_conf_t *lcf)
{
    ngx_int_t                              rc;
    ngx_connection_t                      *c;
    ngx_http_cleanup_t                    *cln;
    ngx_agilicus_token_zone_t             *first;
    ngx_agilicus_token_answer_t            answer;
    ngx_agilicus_token_introspect_t        introspect;
    ngx_agilicus_token_budget_client_t     client;

    c = r->connection;
    first = ngx_agilicus_token_first_zone(r);

    /* runs at the latest when the request is terminated, before it is freed */

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        ngx_agilicus_token_say(ctx, NGX_AGILICUS_TOKEN_VERDICT_UNAVAILABLE,
                               NGX_AGILICUS_TOKEN_REASON_INTERNAL);
        return NGX_OK;
    }

    cln->handler = ngx_agilicus_token_detach;
    cln->data = ctx;

    ngx_memzero(&introspect, sizeof(ngx_agilicus_token_introspect_t));

    introspect.origin = lcf->origin;
    introspect.token = ctx->token;
    introspect.digest = ctx->digest;
    introspect.connect_timeout = lcf->api_connect_timeout;
    introspect.timeout = lcf->api_timeout;

    introspect.seen = ctx->seen;

    if (!ctx->known) {
        ngx_agilicus_token_budget_client(c->sockaddr, &client);

        introspect.client = &client;
        introspect.charged = 1;
    }

    ctx->waiter.done = ngx_agilicus_token_answered;
    ctx->waiter.data = ctx;

    rc = ngx_agilicus_token_api_introspect(&introspect, &ctx->waiter, &answer);

    if (rc != NGX_AGAIN) {

        if (rc == NGX_OK) {
            ctx->cache = NGX_AGILICUS_TOKEN_CACHE_JOINED;
            ngx_agilicus_token_zone_count(first,
                                          NGX_AGILICUS_TOKEN_COUNT_JOINED);
        }

        ngx_agilicus_token_take_answer(ctx, &answer);
        return NGX_OK;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "agilicus token waits, joined: %d",
                   (int) ctx->waiter.joined);

    if (lcf->origin->zone == NULL) {
        ctx->cache = NGX_AGILICUS_TOKEN_CACHE_BYPASS;
        ngx_agilicus_token_zone_count(first, NGX_AGILICUS_TOKEN_COUNT_BYPASS);

    } else if (ctx->waiter.joined) {
        ctx->cache = NGX_AGILICUS_TOKEN_CACHE_JOINED;
        ngx_agilicus_token_zone_count(first, NGX_AGILICUS_TOKEN_COUNT_JOINED);

    } else {
        ctx->cache = NGX_AGILICUS_TOKEN_CACHE_MISS;
        ngx_agilicus_token_zone_count(first, NGX_AGILICUS_TOKEN_COUNT_MISS);
    }

    ctx->state = NGX_AGILICUS_TOKEN_STATE_WAITING;
    ctx->asked = ngx_current_msec;

    /* not cancelable: a worker that quits stays until the request is served */

    ctx->event.handler = ngx_agilicus_token_resume;
    ctx->event.data = ctx;
    ctx->event.log = c->log;

    ngx_add_timer(&ctx->event, lcf->api_timeout);

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    if (c->read->ready) {
        ngx_post_event(c->read, &ngx_posted_events);

    } else if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_agilicus_token_detach(ctx);
        ngx_agilicus_token_say(ctx, NGX_AGILICUS_TOKEN_VERDICT_UNAVAILABLE,
                               NGX_AGILICUS_TOKEN_REASON_INTERNAL);
        return NGX_OK;
    }

    return NGX_AGAIN;
}


/* called from the event of the call: takes what it needs and wakes up later */

static void
ngx_agilicus_token_answered(void *data, ngx_agilicus_token_answer_t *answer)
{
    ngx_agilicus_token_ctx_t *ctx = data;

    ngx_agilicus_token_take_answer(ctx, answer);

    ctx->state = NGX_AGILICUS_TOKEN_STATE_ANSWERED;

    if (ctx->event.timer_set) {
        ngx_del_timer(&ctx->event);
    }

    ngx_post_event(&ctx->event, &ngx_posted_events);
}


/*
 * Takes over what came of a call.  Where that is no answer at all, facts that
 * are not too old yet may serve, if the location says so: a tombstone stands
 * against them as ever, and so does their expiry.
 */

static void
ngx_agilicus_token_take_answer(ngx_agilicus_token_ctx_t *ctx,
    ngx_agilicus_token_answer_t *answer)
{
    ngx_agilicus_token_zone_t   *first;
    ngx_agilicus_token_clock_t   now;

    first = ngx_agilicus_token_first_zone(ctx->request);

    ctx->api_time = answer->elapsed;
    ctx->has_api_time = 1;
    ctx->retry_after = answer->retry_after;

    if (answer->class == NGX_AGILICUS_TOKEN_CLASS_ACTIVE) {
        ctx->late = 0;

        if (ngx_agilicus_token_keep_facts(ctx->request, ctx, &answer->facts)
                != NGX_OK
            || ngx_agilicus_token_keep_rules(ctx->request, ctx,
                                             &answer->rules)
                != NGX_OK)
        {
            answer->class = NGX_AGILICUS_TOKEN_CLASS_INDETERMINATE;
            answer->reason = NGX_AGILICUS_TOKEN_REASON_INTERNAL;
            answer->transient = 0;
        }
    }

    ngx_agilicus_token_zone_now(&now);

    if (answer->transient && ctx->stale_until > now.mono
        && ngx_agilicus_token_zone_feed(first, now.mono)
           != NGX_AGILICUS_TOKEN_FEED_DEAD)
    {
        ctx->class = NGX_AGILICUS_TOKEN_CLASS_ACTIVE;
        ctx->decision.reason = ngx_agilicus_token_cache_denied(first,
                                        ctx->api->digest, ctx->digest,
                                        &ctx->facts, &now);

        if (ctx->decision.reason != NGX_AGILICUS_TOKEN_REASON_NONE) {
            ctx->class = NGX_AGILICUS_TOKEN_CLASS_REVOKED;
            return;
        }

        ctx->cache = NGX_AGILICUS_TOKEN_CACHE_STALE;
        ngx_agilicus_token_zone_count(first, NGX_AGILICUS_TOKEN_COUNT_STALE);

        return;
    }

    ctx->class = answer->class;
    ctx->decision.reason = answer->reason;
    ctx->sent = answer->sent;

    if (answer->class != NGX_AGILICUS_TOKEN_CLASS_ACTIVE) {
        ctx->has_facts = 0;
    }
}


/* the deadline has come, or the answer has */

static void
ngx_agilicus_token_resume(ngx_event_t *ev)
{
    ngx_connection_t             *c;
    ngx_http_request_t           *r;
    ngx_agilicus_token_ctx_t     *ctx;
    ngx_agilicus_token_answer_t   answer;

    ctx = ev->data;
    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "agilicus token resumes, state: %d", (int) ctx->state);

    if (ctx->state == NGX_AGILICUS_TOKEN_STATE_WAITING) {
        ngx_agilicus_token_call_leave(&ctx->waiter);

        ngx_memzero(&answer, sizeof(ngx_agilicus_token_answer_t));

        answer.class = NGX_AGILICUS_TOKEN_CLASS_INDETERMINATE;
        answer.reason = NGX_AGILICUS_TOKEN_REASON_TIMEOUT;
        answer.elapsed = ngx_current_msec - ctx->asked;
        answer.retry_after = -1;
        answer.transient = 1;

        ngx_agilicus_token_take_answer(ctx, &answer);

        ctx->state = NGX_AGILICUS_TOKEN_STATE_ANSWERED;
    }

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_core_run_phases;

    ngx_http_core_run_phases(r);

    /* "r" and "ctx" may be gone */

    ngx_http_run_posted_requests(c);
}


/* releases everything that could still call back */

static void
ngx_agilicus_token_detach(void *data)
{
    ngx_agilicus_token_ctx_t *ctx = data;

    ngx_agilicus_token_call_leave(&ctx->waiter);

    if (ctx->event.timer_set) {
        ngx_del_timer(&ctx->event);
    }

    if (ctx->event.posted) {
        ngx_delete_posted_event(&ctx->event);
    }
}


/* NGX_AGAIN if the body must be read first, else there is a decision */

static ngx_int_t
ngx_agilicus_token_decide(ngx_http_request_t *r,
    ngx_agilicus_token_ctx_t *ctx, const ngx_agilicus_token_loc_conf_t *lcf)
{
    ngx_int_t                                rc;
    ngx_uint_t                               n;
    ngx_agilicus_token_ruling_t              ruling;
    const ngx_agilicus_token_requirement_t  *requirements;

    switch (ctx->class) {

    case NGX_AGILICUS_TOKEN_CLASS_ACTIVE:
        break;

    case NGX_AGILICUS_TOKEN_CLASS_INVALID:
        ngx_agilicus_token_say(ctx, NGX_AGILICUS_TOKEN_VERDICT_INVALID,
                               ctx->decision.reason);
        return NGX_OK;

    case NGX_AGILICUS_TOKEN_CLASS_REVOKED:
        ngx_agilicus_token_say(ctx, NGX_AGILICUS_TOKEN_VERDICT_REVOKED,
                               ctx->decision.reason);
        return NGX_OK;

    default:
        ngx_agilicus_token_say(ctx, NGX_AGILICUS_TOKEN_VERDICT_UNAVAILABLE,
                               ctx->decision.reason);
        return NGX_OK;
    }

    requirements = ngx_agilicus_token_requirements(r, lcf, &n);

    if ((requirements == NULL && n) || !ctx->has_facts) {
        goto failed;
    }

    ruling.rc = NGX_AGAIN;
    ruling.reason = NGX_AGILICUS_TOKEN_REASON_RULE;

    rc = ngx_agilicus_token_policy_decide(&ctx->facts, ctx->late,
                                          &lcf->policy, requirements, n,
                                          &ruling, ngx_time(),
                                          &ctx->decision);
    if (rc != NGX_AGAIN) {
        return NGX_OK;
    }

    ruling.rc = ngx_agilicus_token_match(r, ctx, lcf, &ruling.reason);

    if (ruling.rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    rc = ngx_agilicus_token_policy_decide(&ctx->facts, ctx->late,
                                          &lcf->policy, requirements, n,
                                          &ruling, ngx_time(),
                                          &ctx->decision);
    if (rc != NGX_AGAIN) {
        return NGX_OK;
    }

failed:

    ngx_agilicus_token_say(ctx, NGX_AGILICUS_TOKEN_VERDICT_UNAVAILABLE,
                           NGX_AGILICUS_TOKEN_REASON_INTERNAL);
    return NGX_OK;
}


void
ngx_agilicus_token_say(ngx_agilicus_token_ctx_t *ctx,
    ngx_agilicus_token_verdict_e verdict, ngx_agilicus_token_reason_e reason)
{
    ctx->decision.verdict = verdict;
    ctx->decision.reason = reason;
}


static void
ngx_agilicus_token_conclude(ngx_http_request_t *r,
    ngx_agilicus_token_ctx_t *ctx, const ngx_agilicus_token_loc_conf_t *lcf)
{
    u_char      fingerprint[NGX_AGILICUS_TOKEN_FINGERPRINT_LEN];
    size_t      len;
    ngx_uint_t  level;

    ctx->state = NGX_AGILICUS_TOKEN_STATE_DONE;

    ngx_agilicus_token_zone_count(ngx_agilicus_token_first_zone(r),
        NGX_AGILICUS_TOKEN_COUNT_ACTIVE
        + (ctx->decision.verdict - NGX_AGILICUS_TOKEN_VERDICT_ACTIVE));

    if (ctx->decision.verdict == NGX_AGILICUS_TOKEN_VERDICT_ACTIVE) {
        ctx->status = 0;
        return;
    }

    ctx->status = ngx_agilicus_token_challenge_status(&ctx->decision);

    level = (lcf->enable == NGX_AGILICUS_TOKEN_REPORT) ? NGX_LOG_WARN
                                                       : NGX_LOG_INFO;
    len = 0;

    if (ctx->has_digest) {
        len = sizeof(fingerprint);
        ngx_agilicus_token_digest_fingerprint(ctx->digest, fingerprint);
    }

    ngx_log_error(level, r->connection->log, 0,
                  "agilicus token: %s: %V, %V%s%*s",
                  lcf->enable == NGX_AGILICUS_TOKEN_REPORT
                  ? "would be rejected" : "rejected",
                  ngx_agilicus_token_verdict_word(ctx->decision.verdict),
                  ngx_agilicus_token_reason_word(ctx->decision.reason),
                  len ? ", fingerprint " : "", len, fingerprint);
}
