
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "endpoint/revoke.h"
#include "endpoint/reply.h"
#include "request/access.h"
#include "request/challenge.h"
#include "request/context.h"
#include "request/gate.h"
#include "request/headers.h"
#include "request/look_up.h"
#include "request/sources.h"
#include "request/trace.h"
#include "request/wait.h"
#include "api/revocation.h"
#include "json/hook.h"
#include "token/time.h"


/* the state of a sign-out while its request waits */

typedef struct ngx_agt_revoke_s  ngx_agt_revoke_t;

struct ngx_agt_revoke_s {
    /* is called when the answer is in the context */
    ngx_int_t  (*next)(ngx_http_request_t *r, ngx_agt_ctx_t *ctx,
                       const ngx_agt_loc_conf_t *lcf);

    time_t     until;        /* end of the denial, 0: there is none */
    unsigned   denied:1;     /* the token was denied by its digest before */
    unsigned   spoken:1;     /* the API itself has answered */
    unsigned   again:1;      /* the API was asked about the token twice */
};


static ngx_int_t ngx_agt_revoke_begin(ngx_http_request_t *r,
    const ngx_agt_loc_conf_t *lcf);
static ngx_int_t ngx_agt_revoke_token(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);
static ngx_int_t ngx_agt_revoke_ask(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);
static ngx_int_t ngx_agt_revoke_known(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);
static ngx_int_t ngx_agt_revoke_deny(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);
static ngx_uint_t ngx_agt_revoke_denial(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf,
    ngx_uint_t kind, const ngx_agt_clock_t *now, ngx_agt_denial_args_t *args);
static ngx_int_t ngx_agt_revoke_at_api(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);
static ngx_int_t ngx_agt_revoke_revoked(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);
static void ngx_agt_revoke_take(ngx_agt_ctx_t *ctx, ngx_agt_answer_t *answer);
static ngx_int_t ngx_agt_revoke_refuse(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx);


ngx_int_t
ngx_agt_revoke_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_agt_ctx_t             *ctx;
    const ngx_agt_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_agilicus_token_module);
    ctx = ngx_http_get_module_ctx(r, ngx_agilicus_token_module);

    /* nginx calls the handler again after the request has waited */

    rc = (ctx && ctx->revoke) ? ctx->revoke->next(r, ctx, lcf)
                              : ngx_agt_revoke_begin(r, lcf);

    if (rc == NGX_AGAIN) {
        r->main->count++;
        return NGX_DONE;
    }

    return rc;
}


static ngx_int_t
ngx_agt_revoke_begin(ngx_http_request_t *r, const ngx_agt_loc_conf_t *lcf)
{
    ngx_int_t       rc;
    ngx_agt_ctx_t  *ctx;

    if (r->method != NGX_HTTP_POST) {
        return ngx_agt_reply_not_allowed(r, "POST");
    }

    if (r->headers_in.content_length_n > NGX_AGT_JSON_MAX_HOOK) {
        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    ctx = ngx_agt_ctx_create(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->revoke = ngx_pcalloc(r->pool, sizeof(ngx_agt_revoke_t));
    if (ctx->revoke == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->api = lcf->origin->api;
    ctx->place.key = ctx->digest;
    ctx->place.origin = lcf->origin->number;

    if (!ngx_agt_sources_take_header(ctx, lcf)) {
        return ngx_agt_revoke_refuse(r, ctx);
    }

    return ngx_agt_revoke_token(r, ctx, lcf);
}


static ngx_int_t
ngx_agt_revoke_token(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf)
{
    ngx_agt_clock_t  now;
    ngx_agt_found_t  found;

    ngx_agt_clock_now(&now);

    if (lcf->origin->zone
        && ngx_agt_cache_find(lcf->origin->zone, &ctx->place, 0, &found)
           == NGX_OK)
    {
        ctx->seen = found.serial;

    } else {
        found.class = NGX_AGT_CLASS_NONE;
    }

    /* a token that was invalid may be active by now, so the API is asked */

    if (found.class != NGX_AGT_CLASS_NONE
        && found.class != NGX_AGT_CLASS_INVALID)
    {
        if (found.class == NGX_AGT_CLASS_ACTIVE
            && ngx_agt_ctx_keep_facts(r, ctx, &found.facts) != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ctx->class = found.class;
        ctx->decision.reason = found.reason;

        return ngx_agt_revoke_known(r, ctx, lcf);
    }

    if (ngx_agt_look_up_denial(ctx, &now) != NGX_AGT_REASON_NONE)
    {
        /*
         * The token was denied earlier, but its facts are not kept any more,
         * so its session and its subject are unknown.
         */

        if (!lcf->revoke_all) {
            return ngx_agt_revoke_at_api(r, ctx, lcf);
        }

        ctx->revoke->denied = 1;

    } else if (ngx_agt_gate(r, ctx, lcf) == NGX_OK) {
        return ngx_agt_revoke_refuse(r, ctx);
    }

    /* a client can send any string, so only a token that exists is denied */

    return ngx_agt_revoke_ask(r, ctx, lcf);
}


static ngx_int_t
ngx_agt_revoke_ask(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf)
{
    ngx_int_t                rc;
    ngx_agt_answer_t         answer;
    ngx_agt_introspect_t     introspect;
    ngx_agt_budget_client_t  client;

    ngx_agt_budget_client(r->connection->sockaddr, &client);

    ngx_agt_look_up_question(ctx, lcf, &introspect);

    introspect.call.client = &client;
    introspect.call.kind = NGX_AGT_LIMITS_SIGN_OUT;
    introspect.call.charged = 1;

    ctx->revoke->next = ngx_agt_revoke_known;

    rc = ngx_agt_introspect(&introspect, &ctx->waiter, &answer);

    rc = ngx_agt_wait(ctx, lcf, rc, &answer, ngx_agt_revoke_take);

    return (rc == NGX_AGAIN) ? rc : ngx_agt_revoke_known(r, ctx, lcf);
}


/* goes on with what the API or the cache says of the token */

static ngx_int_t
ngx_agt_revoke_known(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf)
{
    switch (ctx->class) {

    case NGX_AGT_CLASS_ACTIVE:
        break;

    case NGX_AGT_CLASS_INVALID:

        if (ctx->decision.reason == NGX_AGT_REASON_UNKNOWN) {

            /* RFC 7009, section 2.2: an unknown token is answered so too */

            return NGX_HTTP_NO_CONTENT;
        }

        break;

    case NGX_AGT_CLASS_REVOKED:

        /* the token is denied here, but its facts came from the API */

        if (ctx->has_facts || ctx->decision.reason != NGX_AGT_REASON_REVOKED)
        {
            break;
        }

        if (lcf->revoke_all && ctx->waiter.joined && !ctx->revoke->again) {

            /*
             * The facts came to another worker, which made the call; this one
             * learned only that the token is denied.
             */

            ctx->revoke->again = 1;

            return ngx_agt_revoke_ask(r, ctx, lcf);
        }

        if (!ctx->revoke->spoken) {

            /* the 410 may have come from something in front of the API */

            break;
        }

        if (ctx->revoke->denied) {
            return ngx_agt_revoke_at_api(r, ctx, lcf);
        }

        return NGX_HTTP_NO_CONTENT;

    default:
        ngx_agt_decision_set(ctx, NGX_AGT_VERDICT_UNAVAILABLE,
                             ctx->decision.reason);

        return ngx_agt_revoke_refuse(r, ctx);
    }

    if (ngx_agt_revoke_deny(r, ctx, lcf) != NGX_OK) {

        /* denials that there was room for stand; the client must repeat */

        ngx_agt_decision_set(ctx, NGX_AGT_VERDICT_UNAVAILABLE,
                             NGX_AGT_REASON_OVERLOAD);

        return ngx_agt_revoke_refuse(r, ctx);
    }

    return ngx_agt_revoke_at_api(r, ctx, lcf);
}


/* NGX_ERROR if there was no room for a denial; others may stand */

static ngx_int_t
ngx_agt_revoke_deny(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf)
{
    ngx_uint_t                  kind;
    ngx_agt_clock_t             now;
    ngx_agt_denial_args_t       args;
    const ngx_agt_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_agilicus_token_module);

    ngx_agt_clock_now(&now);

    ctx->revoke->until = (ctx->has_facts && ctx->facts.has_exp)
                         ? ngx_agt_time_add(ctx->facts.exp,
                                            mcf->api.max_leeway + 1)
                         : now.wall + mcf->api.revocation_ttl;

    for (kind = 0; kind < NGX_AGT_DENIAL_KINDS; kind++) {

        if (ngx_agt_revoke_denial(r, ctx, lcf, kind, &now, &args)
            && (args.value.data == NULL
                || ngx_agt_denials_add(ngx_agt_request_denials(r), &args, &now)
                   == NGX_ERROR))
        {
            return NGX_ERROR;
        }
    }

    if (lcf->origin->zone) {
        ngx_agt_cache_remove(lcf->origin->zone, &ctx->place);
    }

    return NGX_OK;
}


/* returns 1 with the denial of this kind that a sign-out makes, or 0 */

static ngx_uint_t
ngx_agt_revoke_denial(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf,
    ngx_uint_t kind, const ngx_agt_clock_t *now, ngx_agt_denial_args_t *args)
{
    const ngx_agt_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_agilicus_token_module);

    ngx_memzero(args, sizeof(ngx_agt_denial_args_t));

    args->api = ctx->api->digest;
    args->kind = (ngx_agt_denial_kind_e) kind;
    args->source = NGX_AGT_DENIED_UNTOLD;
    args->until = ctx->revoke->until;

    if (kind == NGX_AGT_DENIAL_TOKEN) {
        args->value.data = (u_char *) ngx_agt_look_up_denial_key(ctx);
        args->value.len = NGX_AGT_DIGEST_LEN;

        return 1;
    }

    if (!ctx->has_facts) {
        return 0;
    }

    if (kind == NGX_AGT_DENIAL_JTI) {
        args->value = ctx->facts.jti;

        return args->value.len != 0;
    }

    if (!lcf->revoke_all) {
        return 0;
    }

    /* nothing says when the other tokens of the session or subject expire */

    args->until = now->wall + mcf->api.revocation_ttl;
    args->before = now->wall;

    args->value = (kind == NGX_AGT_DENIAL_SESSION)
                    ? ctx->facts.session : ctx->facts.sub;

    return args->value.len != 0;
}


static ngx_int_t
ngx_agt_revoke_at_api(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf)
{
    ngx_int_t                   rc;
    ngx_agt_answer_t            answer;
    ngx_agt_revocation_t        revocation;
    ngx_agt_budget_client_t     client;
    const ngx_agt_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_agilicus_token_module);

    ngx_agt_budget_client(r->connection->sockaddr, &client);

    revocation.api = ctx->api;
    revocation.token = ctx->token;
    revocation.digest = ctx->digest;
    revocation.all_sessions = lcf->revoke_all;
    revocation.has_exp = (ctx->has_facts && ctx->facts.has_exp);
    revocation.until = ctx->revoke->until ? ctx->revoke->until
                                  : ngx_time() + mcf->api.revocation_ttl;
    revocation.connect_timeout = lcf->api_connect_timeout;
    revocation.timeout = ctx->api->longest;
    revocation.client = &client;

    ngx_agt_trace_headers(r, lcf, &revocation.headers);

    ctx->revoke->next = ngx_agt_revoke_revoked;

    rc = ngx_agt_revocation_start(&revocation, &ctx->waiter, &answer);

    rc = ngx_agt_wait(ctx, lcf, rc, &answer, ngx_agt_revoke_take);

    return (rc == NGX_AGAIN) ? rc : ngx_agt_revoke_revoked(r, ctx, lcf);
}


static ngx_int_t
ngx_agt_revoke_revoked(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf)
{
    ngx_uint_t             kind;
    ngx_agt_clock_t        now;
    ngx_agt_denial_args_t  args;

    if (ctx->class != NGX_AGT_CLASS_ACTIVE) {
        ngx_agt_decision_set(ctx, NGX_AGT_VERDICT_UNAVAILABLE,
                             ctx->decision.reason);

        return ngx_agt_revoke_refuse(r, ctx);
    }

    ctx->decision.reason = NGX_AGT_REASON_NONE;

    ngx_agt_clock_now(&now);

    /* the API has confirmed, so these denials may make room for others */

    for (kind = 0; kind < NGX_AGT_DENIAL_KINDS; kind++) {

        if (ngx_agt_revoke_denial(r, ctx, lcf, kind, &now, &args)
            && args.value.data)
        {
            ngx_agt_denials_told(ngx_agt_request_denials(r), &args, &now);
        }
    }

    return NGX_HTTP_NO_CONTENT;
}


static void
ngx_agt_revoke_take(ngx_agt_ctx_t *ctx, ngx_agt_answer_t *answer)
{
    ctx->class = answer->class;
    ctx->decision.reason = answer->reason;
    ctx->cause = answer->cause;
    ctx->retry_after = answer->retry_after;
    ctx->api_time = answer->elapsed;
    ctx->has_api_time = 1;

    ctx->revoke->spoken = answer->spoken;

    /* facts are kept of a token, too, that was denied here meanwhile */

    if (answer->facts.len
        && ngx_agt_ctx_keep_facts(ctx->request, ctx, &answer->facts)
           != NGX_OK)
    {
        ctx->class = NGX_AGT_CLASS_INDETERMINATE;
        ctx->decision.reason = NGX_AGT_REASON_INTERNAL;
    }
}


static ngx_int_t
ngx_agt_revoke_refuse(ngx_http_request_t *r, ngx_agt_ctx_t *ctx)
{
    ctx->life = NGX_AGT_LIFE_DONE;
    ctx->refused_by = ngx_http_get_module_loc_conf(r,
                                                   ngx_agilicus_token_module);
    ctx->status = ngx_agt_challenge_status(&ctx->decision);

    return ngx_agt_challenge_set(r, ctx);
}
