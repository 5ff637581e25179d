
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "request/access.h"
#include "request/challenge.h"
#include "request/cut_query.h"
#include "request/destination.h"
#include "request/detail.h"
#include "request/early.h"
#include "request/host_rules.h"
#include "request/look_up.h"
#include "request/preaccess.h"
#include "request/preflight.h"
#include "request/recheck.h"
#include "request/required_values.h"
#include "request/sources.h"


static ngx_int_t ngx_agt_access_decide(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);
static void ngx_agt_access_ask_rules(ngx_agt_ruling_t *ruling);


ngx_int_t
ngx_agt_access_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_http_core_loc_conf_t  *clcf;
    ngx_agt_ctx_t             *ctx;
    const ngx_agt_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_agilicus_token_module);

    if (lcf->enable == NGX_AGT_OFF) {
        return NGX_DECLINED;
    }

    rc = ngx_agt_access_check(r, lcf, &ctx);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (lcf->enable == NGX_AGT_REPORT) {

        /*
         * It neither refuses nor, under "satisfy any", allows.  A body that
         * could not be read as a whole goes nowhere: its status is nginx's.
         */

        if (ctx == NULL) {
            ctx = ngx_http_get_module_ctx(r, ngx_agilicus_token_module);

            if (ctx && ctx->life == NGX_AGT_LIFE_READING) {
                return rc;
            }
        }

        return NGX_DECLINED;
    }

    if (ctx == NULL || rc == NGX_DECLINED) {
        return rc;
    }

    if (rc == NGX_OK) {

        if (r->internal) {
            ngx_agt_challenge_withdraw(r);
        }

        if (lcf->recheck && ctx->has_facts
            && ngx_agt_recheck_add(r, ctx) != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return NGX_OK;
    }

    if (ctx->client->watched) {
        ngx_agt_recheck_remove(ctx->client);
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->satisfy == NGX_HTTP_SATISFY_ANY) {

        /*
         * Another module may still allow; if none does, the last handler says
         * what is due.  Whatever the status is, it must count as a refusal.
         */

        return (rc == NGX_HTTP_UNAUTHORIZED) ? rc : NGX_HTTP_FORBIDDEN;
    }

    return ngx_agt_challenge_set(r, ctx);
}


/*
 * Sets status and headers of the refusal if no module has allowed the request
 * under "satisfy any".
 */

ngx_int_t
ngx_agt_access_last_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_http_core_loc_conf_t  *clcf;
    ngx_agt_ctx_t             *ctx;
    const ngx_agt_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_agilicus_token_module);

    if (lcf->enable != NGX_AGT_ON || r->access_code == 0) {
        return NGX_DECLINED;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->satisfy != NGX_HTTP_SATISFY_ANY) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_agilicus_token_module);

    if (ctx == NULL || ctx->life < NGX_AGT_LIFE_DONE || ctx->status == 0) {
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

    rc = ngx_agt_challenge_set(r, ctx);

    if (rc == NGX_HTTP_INTERNAL_SERVER_ERROR) {
        return rc;
    }

    r->access_code = rc;

    return NGX_DECLINED;
}


ngx_int_t
ngx_agt_access_check(ngx_http_request_t *r,
    const ngx_agt_loc_conf_t *lcf, ngx_agt_ctx_t **out)
{
    ngx_int_t       rc;
    ngx_agt_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_agilicus_token_module);

    if (ctx == NULL || ctx->life >= NGX_AGT_LIFE_DONE) {
        ctx = ngx_agt_ctx_create(r);

        if (ctx == NULL) {
            *out = NULL;
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    *out = ctx;

    if (ctx->waiter.call || ctx->life == NGX_AGT_LIFE_READING) {
        return NGX_AGAIN;
    }

    if (ctx->life < NGX_AGT_LIFE_KNOWN) {

        rc = (ctx->life == NGX_AGT_LIFE_PREVIEWED)
             ? ngx_agt_preaccess_learn_again(r, ctx, lcf)
             : ngx_agt_access_learn(r, ctx, lcf);

        if (rc == NGX_AGAIN) {
            return NGX_AGAIN;
        }

        ctx->life = NGX_AGT_LIFE_KNOWN;

    } else if (ctx->cache == NGX_AGT_CACHE_STALE) {
        ngx_agt_preaccess_check_stale(ctx);
    }

    if (ctx->decision.verdict == NGX_AGT_VERDICT_MISSING
        && lcf->preflight == NGX_AGT_PREFLIGHT_PASS
        && ngx_agt_preflight_is(r))
    {
        /* a preflight has no token to decide about */

        ngx_agt_decision_set(ctx, NGX_AGT_VERDICT_NONE, NGX_AGT_REASON_NONE);
        ctx->life = NGX_AGT_LIFE_DONE;

        return NGX_OK;
    }

    if (ctx->decision.verdict == NGX_AGT_VERDICT_MISSING
        && lcf->create && lcf->enable == NGX_AGT_ON
        && r == r->main)
    {
        /* a token is created after other modules have identified the caller */

        ngx_agt_decision_set(ctx, NGX_AGT_VERDICT_NONE, NGX_AGT_REASON_NONE);
        ctx->life = NGX_AGT_LIFE_TOKENLESS;

        return NGX_DECLINED;
    }

    if (ctx->decision.verdict == NGX_AGT_VERDICT_MISSING
        && lcf->enable == NGX_AGT_OPTIONAL)
    {
        /* only a request without any token: one that is bad is refused */

        ngx_agt_decision_set(ctx, NGX_AGT_VERDICT_ANONYMOUS,
                             NGX_AGT_REASON_NONE);
    }

    while (ctx->decision.verdict == NGX_AGT_VERDICT_NONE) {
        rc = ngx_agt_access_decide(r, ctx, lcf);

        if (rc == NGX_AGAIN) {
            rc = ngx_agt_host_rules_read_body(r, ctx);

            if (rc == NGX_DONE) {
                return NGX_AGAIN;
            }

            /* body too large, or client gone: the status is nginx's */

            *out = NULL;
            return rc;
        }

        if (ctx->decision.verdict == NGX_AGT_VERDICT_STEP_UP
            && ngx_agt_look_up_is_old(ctx, lcf))
        {
            /* the user may have signed in since the API was asked */

            if (ngx_agt_look_up_newer(r, ctx, lcf) == NGX_AGAIN) {
                return NGX_AGAIN;
            }

            ctx->life = NGX_AGT_LIFE_KNOWN;
        }
    }

    ngx_agt_access_conclude(r, ctx, lcf);

    return ctx->status ? ctx->status : NGX_OK;
}


ngx_int_t
ngx_agt_access_learn(ngx_http_request_t *r, ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf)
{
    ngx_int_t  rc;

    if (ctx->client->early) {
        ngx_agt_early_end(r, ctx->client, lcf);
    }

    ctx->api = lcf->origin->api;
    ctx->place.key = ctx->digest;
    ctx->place.origin = lcf->origin->number;
    ctx->leeway = lcf->leeway;

    if (ctx->token.len == 0 && !ngx_agt_sources_take(r, ctx, lcf)) {
        return NGX_OK;
    }

    rc = ngx_agt_look_up(r, ctx, lcf);

    return (rc == NGX_DECLINED) ? ngx_agt_look_up_ask(r, ctx, lcf) : rc;
}


ngx_agt_ctx_t *
ngx_agt_ctx_create(ngx_http_request_t *r)
{
    ngx_agt_ctx_t     *ctx;
    ngx_agt_client_t  *client;

    client = ngx_agt_client_get(r);
    if (client == NULL) {
        (void) ngx_agt_cut_query(r);
        return NULL;
    }

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_agt_ctx_t));
    if (ctx == NULL) {
        (void) ngx_agt_cut_query(r);
        return NULL;
    }

    ctx->request = r;
    ctx->client = client;

    if (r == r->main) {
        client->last = ctx;
    }

    ngx_http_set_ctx(r, ctx, ngx_agilicus_token_module);

    return ctx;
}


/* NGX_AGAIN if the body must be read first, else there is a decision */

static ngx_int_t
ngx_agt_access_decide(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf)
{
    ngx_int_t                     rc;
    ngx_uint_t                    n;
    ngx_agt_ruling_t              ruling;
    const ngx_agt_requirement_t  *requirements;

    if (ctx->class != NGX_AGT_CLASS_ACTIVE) {
        return ngx_agt_decision_set(ctx,
                   ctx->class == NGX_AGT_CLASS_INVALID
                   ? NGX_AGT_VERDICT_INVALID
                   : ctx->class == NGX_AGT_CLASS_REVOKED
                     ? NGX_AGT_VERDICT_REVOKED : NGX_AGT_VERDICT_UNAVAILABLE,
                   ctx->decision.reason);
    }

    if (lcf->varies && (ctx->client->assigned & NGX_AGT_EARLY_TOKEN))
    {
        return ngx_agt_decision_set(ctx, NGX_AGT_VERDICT_UNAVAILABLE,
                                    NGX_AGT_REASON_EARLY);
    }

    if (lcf->policy.rules && ngx_agt_destination_has_two_hosts(r)) {
        return ngx_agt_decision_set(ctx, NGX_AGT_VERDICT_MALFORMED,
                                    NGX_AGT_REASON_HOST);
    }

    requirements = ngx_agt_required_values(r, lcf, &n);

    if ((requirements == NULL && n) || !ctx->has_facts) {
        goto failed;
    }

    ruling.rc = NGX_AGAIN;
    ruling.reason = NGX_AGT_REASON_RULE;
    ruling.ask = ngx_agt_access_ask_rules;
    ruling.data = ctx;

    rc = ngx_agt_policy_decide(&ctx->facts, ctx->late,
                               &lcf->policy, requirements, n,
                               &ruling, ngx_time(), &ctx->decision);
    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (rc == NGX_OK) {
        ngx_agt_access_look_again(r, ctx);
    }

    if (ctx->decision.reason == NGX_AGT_REASON_EXPIRED) {
        ngx_agt_look_up_note_late(ctx, lcf, ngx_time());
    }

    return NGX_OK;

failed:

    return ngx_agt_decision_set(ctx, NGX_AGT_VERDICT_UNAVAILABLE,
                                NGX_AGT_REASON_INTERNAL);
}


static void
ngx_agt_access_ask_rules(ngx_agt_ruling_t *ruling)
{
    ngx_http_request_t  *r;
    ngx_agt_ctx_t       *ctx;

    ctx = ruling->data;
    r = ctx->request;

    ruling->rc = ngx_agt_host_rules_match(r, ctx,
                     ngx_http_get_module_loc_conf(r,
                                                  ngx_agilicus_token_module),
                     &ruling->reason);
}


/*
 * An answer or a body may have been waited for since denials were looked
 * through, and a token that was denied meanwhile is refused.
 */

void
ngx_agt_access_look_again(ngx_http_request_t *r, ngx_agt_ctx_t *ctx)
{
    ngx_atomic_uint_t   generation;
    ngx_agt_clock_t     now;
    ngx_agt_reason_e    denied;
    ngx_agt_denials_t  *denials;

    denials = ngx_agt_request_denials(r);

    for ( ;; ) {
        generation = ngx_agt_denials_generation(denials);

        if (generation == ctx->clean) {
            return;
        }

        ngx_agt_clock_now(&now);

        denied = ngx_agt_look_up_denial(ctx, &now);

        if (denied != NGX_AGT_REASON_NONE) {
            ngx_agt_decision_set(ctx, NGX_AGT_VERDICT_REVOKED, denied);
            return;
        }

        ctx->clean = generation;
    }
}


ngx_int_t
ngx_agt_decision_set(ngx_agt_ctx_t *ctx,
    ngx_agt_verdict_e verdict, ngx_agt_reason_e reason)
{
    ctx->decision.verdict = verdict;
    ctx->decision.reason = reason;

    return NGX_OK;
}


void
ngx_agt_access_conclude(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf)
{
    size_t      len;
    u_char      fingerprint[NGX_AGT_FINGERPRINT_LEN];
    u_char      buf[NGX_AGT_DETAIL_LEN];
    ngx_str_t   detail;
    ngx_uint_t  level;

    ctx->life = NGX_AGT_LIFE_DONE;

    /* a reissue, which is made later, may still refuse the request */

    if (lcf->reissue == NULL
        || ctx->decision.verdict != NGX_AGT_VERDICT_ACTIVE)
    {
        ngx_agt_zone_decided(ngx_agt_request_first_zone(r),
                             ctx->decision.verdict, ctx->decision.reason);
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "agilicus token verdict: %V, reason: \"%V\"",
                   ngx_agt_verdict_word(ctx->decision.verdict),
                   ngx_agt_reason_word(ctx->decision.reason));

    if (ctx->decision.verdict == NGX_AGT_VERDICT_ACTIVE
        || ctx->decision.verdict == NGX_AGT_VERDICT_ANONYMOUS)
    {
        ctx->status = 0;
        return;
    }

    ctx->status = ngx_agt_challenge_status(&ctx->decision);
    ctx->refused_by = lcf;

    level = NGX_LOG_INFO;

    if (lcf->enable == NGX_AGT_REPORT) {

        /* without report the first refusal would have been the only one */

        if (r == r->main) {

            if (ctx->client->reported) {
                return;
            }

            ctx->client->reported = 1;
        }

        level = NGX_LOG_WARN;
    }

    if (r->connection->log->log_level < level) {
        return;
    }

    detail.data = buf;
    detail.len = ngx_agt_detail(ctx, buf);

    len = 0;

    if (ctx->has_digest) {
        len = sizeof(fingerprint);
        ngx_agt_digest_fingerprint(ctx->digest, fingerprint);
    }

    ngx_log_error(level, r->connection->log, 0,
                  "agilicus token: %s: %V, %V%s%*s%s%V",
                  lcf->enable == NGX_AGT_REPORT
                  ? "would be rejected" : "rejected",
                  ngx_agt_verdict_word(ctx->decision.verdict),
                  ngx_agt_reason_word(ctx->decision.reason),
                  len ? ", fingerprint " : "", len, fingerprint,
                  detail.len ? ": " : "", &detail);
}
