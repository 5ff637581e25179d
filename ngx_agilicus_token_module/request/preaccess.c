
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "request/preaccess.h"
#include "request/access.h"
#include "request/look_up.h"


/*
 * "agilicus_token_phase preaccess": the token is taken and looked up before
 * limit_req and limit_conn, for variables of its facts to be their keys.
 * Nothing is refused here; the access phase decides, and looks the token up
 * once more, for limit_req may have delayed the request meanwhile.
 */

ngx_int_t
ngx_agt_preaccess_handler(ngx_http_request_t *r)
{
    ngx_agt_ctx_t             *ctx;
    const ngx_agt_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_agilicus_token_module);

    if (lcf->enable == NGX_AGT_OFF || lcf->phase != NGX_AGT_PHASE_PREACCESS)
    {
        return NGX_DECLINED;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_agilicus_token_module);

    if (ctx == NULL) {
        ctx = ngx_agt_ctx_create(r);

        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (ngx_agt_access_learn(r, ctx, lcf) == NGX_AGAIN) {
            return NGX_AGAIN;
        }
    }

    if (ctx->waiter.call) {
        return NGX_AGAIN;
    }

    ctx->life = NGX_AGT_LIFE_KNOWN;
    ctx->spent = ngx_current_msec - ctx->asked;

    if (ctx->class == NGX_AGT_CLASS_ACTIVE
        && ctx->decision.verdict == NGX_AGT_VERDICT_NONE)
    {
        ngx_agt_access_look_again(r, ctx);

        /* after a call that failed, no other is made */

        if (ctx->decision.verdict == NGX_AGT_VERDICT_NONE
            && ctx->cache != NGX_AGT_CACHE_STALE)
        {
            ctx->life = NGX_AGT_LIFE_PREVIEWED;
        }
    }

    return NGX_DECLINED;
}


/*
 * The look-up of the access phase.  What the API has answered to this request
 * counts for as long as the request might have waited for it; after that, and
 * where nothing is remembered of the token, as long as if it were remembered.
 */

ngx_int_t
ngx_agt_preaccess_learn_again(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf)
{
    ngx_int_t        rc;
    ngx_uint_t       answered;
    ngx_agt_clock_t  now;

    /* variables read since the first look-up were not read too early */

    ctx->client->early_reads = 0;
    ctx->client->early = 0;

    /* the time since the wait does not count against the deadline */

    ctx->asked = ngx_current_msec - ctx->spent;

    ctx->class = NGX_AGT_CLASS_NONE;
    ctx->stale_until = 0;
    ctx->seen = 0;

    ngx_agt_clock_now(&now);

    answered = (ctx->has_api_time && ctx->has_facts);

    if (answered
        && now.mono - ngx_min(ctx->sent, now.mono) < lcf->api_timeout)
    {
        ctx->class = NGX_AGT_CLASS_ACTIVE;
        return NGX_OK;
    }

    rc = ngx_agt_look_up(r, ctx, lcf);

    if (rc == NGX_DECLINED && ctx->seen == 0 && answered) {
        rc = ngx_agt_look_up_age(r, ctx, lcf, &now);
    }

    if (rc == NGX_DECLINED) {
        rc = ngx_agt_look_up_ask(r, ctx, lcf);
    }

    return rc;
}


void
ngx_agt_preaccess_check_stale(ngx_agt_ctx_t *ctx)
{
    ngx_agt_clock_t  now;

    ngx_agt_clock_now(&now);

    if (now.mono >= ctx->stale_until) {
        ngx_agt_decision_set(ctx, NGX_AGT_VERDICT_UNAVAILABLE,
                             NGX_AGT_REASON_TIMEOUT);
    }
}
