
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "upstream/exchange.h"
#include "request/access.h"
#include "request/challenge.h"
#include "request/look_up.h"
#include "request/recheck.h"
#include "request/wait.h"
#include "rules/path.h"
#include "request/trace.h"


static ngx_int_t ngx_agt_exchange_find(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);
static ngx_uint_t ngx_agt_exchange_is_fresh(ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf, const ngx_agt_issued_t *secret);
static ngx_int_t ngx_agt_exchange_ask(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);
static ngx_int_t ngx_agt_exchange_answered(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);


ngx_int_t
ngx_agt_exchange(ngx_http_request_t *r, ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf, const ngx_agt_exchange_type_t *type)
{
    ngx_int_t            rc;
    ngx_agt_exchange_t  *x;

    if (ctx->life == type->life) {
        return ngx_agt_exchange_answered(r, ctx, lcf);
    }

    x = ctx->exchange;

    /* a token that was created may be reissued then */

    if (x == NULL || x->type != type) {

        x = ngx_pcalloc(r->pool, sizeof(ngx_agt_exchange_t));
        if (x == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        x->type = type;
        x->place.key = x->key;
        x->place.origin = lcf->origin->number;

        ctx->exchange = x;
    }

    rc = type->prepare(r, ctx, lcf);

    if (rc == NGX_OK) {
        rc = ngx_agt_exchange_find(r, ctx, lcf);
    }

    return (rc == NGX_DECLINED) ? ngx_agt_exchange_ask(r, ctx, lcf) : rc;
}


/* looks for a token that is kept; NGX_DECLINED if the API must be asked */

static ngx_int_t
ngx_agt_exchange_find(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf)
{
    ngx_int_t            rc;
    ngx_agt_issued_t     secret;
    ngx_agt_exchange_t  *x;

    x = ctx->exchange;

    if (lcf->origin->zone == NULL
        || ngx_agt_issued_find(lcf->origin->zone, &x->place,
                               ngx_agt_call_buffer(), &secret)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    x->seen = secret.serial;

    rc = NGX_DECLINED;

    if (!x->again && ngx_agt_exchange_is_fresh(ctx, lcf, &secret)) {

        if (secret.class != NGX_AGT_CLASS_ACTIVE) {
            x->cause = secret.cause;

            return ngx_agt_exchange_refuse(r, ctx, lcf,
                                           NGX_AGT_VERDICT_FORBIDDEN,
                                           x->type->reason);
        }

        x->sent = secret.sent;

        rc = ngx_agt_secret_copy(r->pool, &secret.token, &x->token);
    }

    if (secret.token.len) {
        ngx_explicit_memzero(secret.token.data, secret.token.len);
    }

    if (rc == NGX_OK) {
        return x->type->given(r, ctx, lcf, &secret);
    }

    return (rc == NGX_DECLINED) ? rc : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/*
 * Returns 1 if what is kept may be used: a token until its own expiry, which is
 * noted once it was seen, or for as long as facts are kept if it has none; a
 * refusal for the lifetime of refusals; else 0.
 */

static ngx_uint_t
ngx_agt_exchange_is_fresh(ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf,
    const ngx_agt_issued_t *secret)
{
    uint64_t         age, late;
    ngx_agt_clock_t  now;
    ngx_agt_found_t  found;

    ngx_agt_clock_now(&now);

    age = now.mono - ngx_min(secret->sent, now.mono);

    if (secret->class != NGX_AGT_CLASS_ACTIVE) {
        return age < lcf->lifetimes.invalid;
    }

    if (!secret->has_exp) {
        return age < lcf->lifetimes.watched;
    }

    if (secret->late) {
        return 0;
    }

    if (now.wall < secret->exp) {
        return 1;
    }

    /* it stays expired, wherever the clock is set to */

    late = (uint64_t) now.wall - (uint64_t) secret->exp + 1;

    ngx_memzero(&found, sizeof(ngx_agt_found_t));
    found.serial = secret->serial;

    ngx_agt_cache_note(lcf->origin->zone, &ctx->exchange->place, &found, 0,
                       (uint32_t) ngx_min(late, 0xffffffff));
    return 0;
}


static ngx_int_t
ngx_agt_exchange_ask(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf)
{
    ngx_int_t                rc;
    ngx_agt_issue_t          issue;
    ngx_agt_answer_t         answer;
    ngx_agt_exchange_t      *x;
    ngx_agt_budget_client_t  client;

    x = ctx->exchange;

    ngx_str_null(&x->token);

    ngx_agt_budget_client(r->connection->sockaddr, &client);

    ngx_memzero(&issue, sizeof(ngx_agt_issue_t));

    issue.call.origin = lcf->origin;
    issue.call.key = x->key;
    issue.call.seen = x->seen;
    issue.call.curl.connect_timeout = lcf->api_connect_timeout;
    issue.call.curl.timeout = lcf->api_timeout;
    issue.call.client = &client;

    ngx_agt_trace_headers(r, lcf, &issue.call.curl.headers);

    issue.what = x->what;
    issue.token = ctx->api_key ? ctx->raw : ctx->token;
    issue.parent = ngx_agt_look_up_denial_key(ctx);
    issue.raw = ctx->api_key ? ctx->raw_key : NULL;
    issue.facts = &ctx->facts;
    issue.asked = ctx->first_asked;

    ctx->life = x->type->life;

    rc = x->type->ask(&issue, &ctx->waiter, &answer);

    rc = ngx_agt_wait(ctx, lcf, rc, &answer, ngx_agt_exchange_take);

    return (rc == NGX_AGAIN) ? rc : ngx_agt_exchange_answered(r, ctx, lcf);
}


static ngx_int_t
ngx_agt_exchange_answered(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf)
{
    ngx_agt_exchange_t  *x;

    x = ctx->exchange;

    switch (x->class) {

    case NGX_AGT_CLASS_ACTIVE:
        return x->type->given(r, ctx, lcf, NULL);

    case NGX_AGT_CLASS_INVALID:
        return ngx_agt_exchange_refuse(r, ctx, lcf, NGX_AGT_VERDICT_FORBIDDEN,
                                       x->type->reason);

    case NGX_AGT_CLASS_REVOKED:

        if (x->type->revoked) {
            return x->type->revoked(r, ctx, lcf);
        }

        /* fall through */

    default:
        return ngx_agt_exchange_refuse(r, ctx, lcf,
                                       NGX_AGT_VERDICT_UNAVAILABLE, x->reason);
    }
}


void
ngx_agt_exchange_take(ngx_agt_ctx_t *ctx, ngx_agt_answer_t *answer)
{
    ngx_int_t            rc;
    ngx_agt_exchange_t  *x;

    x = ctx->exchange;

    x->class = answer->class;
    x->reason = answer->reason;
    x->cause = answer->cause;

    ctx->retry_after = answer->retry_after;

    if (x->class != NGX_AGT_CLASS_ACTIVE) {
        return;
    }

    if (ctx->life == NGX_AGT_LIFE_VERIFY) {
        rc = ngx_agt_look_up_keep(ctx->request->pool, &answer->facts,
                                  &x->packed, &x->facts);

    } else {
        x->sent = answer->sent;
        rc = ngx_agt_secret_copy(ctx->request->pool, &answer->token,
                                 &x->token);
    }

    if (rc != NGX_OK) {
        x->class = NGX_AGT_CLASS_INDETERMINATE;
        x->reason = NGX_AGT_REASON_INTERNAL;
        x->cause = 0;
    }
}


ngx_uint_t
ngx_agt_exchange_is_name(const ngx_str_t *value)
{
    return value->len && ngx_agt_path_whole_utf8(value);
}


ngx_int_t
ngx_agt_exchange_refuse(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf,
    ngx_agt_verdict_e verdict, ngx_agt_reason_e reason)
{
    ngx_str_null(&ctx->exchange->token);

    ctx->cause = ctx->exchange->cause;

    ngx_agt_decision_set(ctx, verdict, reason);
    ngx_agt_access_conclude(r, ctx, lcf);

    /* the response of the client's request goes on beside a subrequest */

    if (r == r->main && ctx->client->watched) {
        ngx_agt_recheck_remove(ctx->client);
    }

    return ngx_agt_challenge_set(r, ctx);
}
