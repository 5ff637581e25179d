
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "upstream/precontent.h"
#include "request/access.h"
#include "request/challenge.h"
#include "request/context.h"
#include "request/look_up.h"
#include "request/recheck.h"
#include "request/sources.h"
#include "upstream/create.h"
#include "upstream/exchange.h"
#include "upstream/reissue.h"
#include "upstream/upstream.h"
#include "zone/children.h"


static ngx_int_t ngx_agt_precontent_subrequest(ngx_http_request_t *r,
    const ngx_agt_loc_conf_t *lcf);
static ngx_int_t ngx_agt_precontent_unasked(ngx_http_request_t *r,
    const ngx_agt_loc_conf_t *lcf);
static ngx_int_t ngx_agt_precontent_created(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);
static void ngx_agt_precontent_refused(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx);


/*
 * The precontent phase.  Subrequests are checked here, for nginx leaves the
 * access phase out for them.  What goes upstream is settled here, when all
 * handlers of the access phase have let the request in.
 */

ngx_int_t
ngx_agt_precontent_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_agt_ctx_t             *ctx;
    const ngx_agt_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_agilicus_token_module);
    ctx = ngx_http_get_module_ctx(r, ngx_agilicus_token_module);

    if (ctx && ctx->waiter.call) {
        return NGX_AGAIN;
    }

    rc = NGX_OK;

    if (lcf->enable != NGX_AGT_OFF) {

        /* since the access phase has left it to us, no token was checked yet */

        if (ctx && (ctx->life == NGX_AGT_LIFE_TOKENLESS
                    || (ctx->exchange && ctx->life < NGX_AGT_LIFE_DONE)))
        {
            rc = ngx_agt_precontent_created(r, ctx, lcf);

        } else if (r != r->main
                   && (ctx == NULL || ctx->life <= NGX_AGT_LIFE_DONE))
        {
            rc = ngx_agt_precontent_subrequest(r, lcf);
            ctx = ngx_http_get_module_ctx(r, ngx_agilicus_token_module);

        } else if (ctx == NULL
                   || (lcf->phase == NGX_AGT_PHASE_PREACCESS
                       && ctx->life < NGX_AGT_LIFE_DONE))
        {
            rc = ngx_agt_precontent_unasked(r, lcf);
            ctx = ngx_http_get_module_ctx(r, ngx_agilicus_token_module);
        }
    }

    if (rc == NGX_OK && lcf->reissue && ctx
        && lcf->enable == NGX_AGT_ON
        && ctx->decision.verdict == NGX_AGT_VERDICT_ACTIVE)
    {
        rc = ngx_agt_reissue(r, ctx, lcf);

        if (rc == NGX_OK) {
            ngx_agt_zone_decided(ngx_agt_request_first_zone(r),
                                 NGX_AGT_VERDICT_ACTIVE, NGX_AGT_REASON_NONE);
        }
    }

    if (rc == NGX_OK) {
        rc = ngx_agt_upstream_prepare(r);
    }

    /* the response of a mirror's subrequest goes to no client */

    if (rc == NGX_OK && lcf->recheck && r != r->main && !r->background && ctx
        && lcf->enable != NGX_AGT_OFF
        && lcf->enable != NGX_AGT_REPORT
        && ctx->decision.verdict == NGX_AGT_VERDICT_ACTIVE
        && ngx_agt_recheck_add(r, ctx) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* on to the next handler, so that try_files and mirror still run */

    return (rc == NGX_OK) ? NGX_DECLINED : rc;
}


static ngx_int_t
ngx_agt_precontent_subrequest(ngx_http_request_t *r,
    const ngx_agt_loc_conf_t *lcf)
{
    ngx_int_t       rc;
    ngx_agt_ctx_t  *ctx;

    rc = ngx_agt_access_check(r, lcf, &ctx);

    if (rc == NGX_AGAIN || rc == NGX_OK) {
        return rc;
    }

    if (lcf->enable == NGX_AGT_REPORT) {
        return NGX_OK;
    }

    return ctx ? ngx_agt_challenge_set(r, ctx) : rc;
}


/*
 * Under "satisfy any" another module may have let the request in before our
 * handler ran.  Nothing is decided then, but the token is taken, so that it is
 * cut and hidden as everywhere.
 */

static ngx_int_t
ngx_agt_precontent_unasked(ngx_http_request_t *r, const ngx_agt_loc_conf_t *lcf)
{
    ngx_agt_ctx_t  *ctx;

    ctx = ngx_agt_ctx_create(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (!ngx_agt_sources_take(r, ctx, lcf)
        && ctx->decision.verdict == NGX_AGT_VERDICT_UNAVAILABLE)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_agt_decision_set(ctx, NGX_AGT_VERDICT_NONE, NGX_AGT_REASON_NONE);
}


/*
 * A request without a token whose caller the access phase has let in: a token
 * is created for it, and then it is checked like any other.
 */

static ngx_int_t
ngx_agt_precontent_created(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf)
{
    ngx_int_t         rc;
    const u_char     *key;
    ngx_agt_ctx_t    *same;
    ngx_agt_clock_t   now;

    for ( ;; ) {

        if (ctx->life >= NGX_AGT_LIFE_TOKENLESS) {
            rc = ngx_agt_create(r, ctx, lcf);

            if (rc != NGX_OK) {
                return rc;
            }
        }

        rc = ngx_agt_access_check(r, lcf, &same);

        if (rc == NGX_AGAIN) {
            return NGX_AGAIN;
        }

        if (rc == NGX_OK) {
            break;
        }

        if (same == NULL) {
            return rc;
        }

        ngx_agt_precontent_refused(r, ctx);

        /*
         * A token that was kept may have been revoked, or may have expired.
         * No new one has the sign-in that the kept one has not.
         */

        if (ctx->exchange->again || rc != NGX_HTTP_UNAUTHORIZED
            || ctx->decision.verdict == NGX_AGT_VERDICT_STEP_UP)
        {
            return ngx_agt_challenge_set(r, ctx);
        }

        ctx->exchange->again = 1;
        ctx->life = NGX_AGT_LIFE_TOKENLESS;
        ctx->status = 0;
        ngx_agt_decision_set(ctx, NGX_AGT_VERDICT_NONE, NGX_AGT_REASON_NONE);
    }

    key = ngx_agt_look_up_denial_key(ctx);

    if (ctx->has_api_time && ctx->has_facts && key) {

        /* the API has just said what the token is */

        ngx_agt_clock_now(&now);

        ngx_agt_children_note(ngx_agt_request_denials(r), ctx->api->digest,
                              key, &ctx->facts, &now);
    }

    if (lcf->recheck && ctx->has_facts
        && ngx_agt_recheck_add(r, ctx) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_OK;
}


/*
 * A token that this edge has created and the API refuses ends: it is denied
 * here, and the API is told.
 */

static void
ngx_agt_precontent_refused(ngx_http_request_t *r, ngx_agt_ctx_t *ctx)
{
    const u_char     *key;
    ngx_agt_clock_t   now;

    if (ctx->decision.verdict != NGX_AGT_VERDICT_INVALID
        && ctx->decision.verdict != NGX_AGT_VERDICT_REVOKED)
    {
        return;
    }

    key = ngx_agt_look_up_denial_key(ctx);

    if (key) {
        ngx_agt_clock_now(&now);

        ngx_agt_children_end(ngx_agt_request_denials(r), ctx->api->digest,
                             key, &now);
    }
}
