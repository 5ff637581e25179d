
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "upstream/reissue.h"
#include "request/wait.h"
#include "request/look_up.h"
#include "upstream/exchange.h"
#include "zone/clock.h"
#include "zone/children.h"
#include "token/text.h"


static ngx_int_t ngx_agt_reissue_prepare(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);
static ngx_int_t ngx_agt_reissue_given(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf,
    const ngx_agt_issued_t *kept);
static ngx_uint_t ngx_agt_reissue_is_young(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf,
    ngx_uint_t has_exp, ngx_uint_t has_jti);
static ngx_int_t ngx_agt_reissue_alive(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf,
    const ngx_agt_issued_t *secret);
static ngx_int_t ngx_agt_reissue_revoked(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);
static ngx_int_t ngx_agt_reissue_verify(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);
static ngx_int_t ngx_agt_reissue_verified(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);
static ngx_int_t ngx_agt_reissue_digest(ngx_agt_exchange_t *x);
static ngx_int_t ngx_agt_reissue_refused(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);
static ngx_agt_reason_e ngx_agt_reissue_denied(
    ngx_http_request_t *r, ngx_agt_ctx_t *ctx);
static ngx_uint_t ngx_agt_reissue_is_less(ngx_agt_ctx_t *ctx);


static const ngx_agt_exchange_type_t  ngx_agt_reissuing_type = {
    NGX_AGT_LIFE_REISSUE,
    NGX_AGT_REASON_REISSUE,
    ngx_agt_reissue_prepare,
    ngx_agt_issue_reissue,
    ngx_agt_reissue_given,
    ngx_agt_reissue_revoked
};


ngx_int_t
ngx_agt_reissue(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf)
{
    switch (ctx->life) {

    case NGX_AGT_LIFE_DONE:
    case NGX_AGT_LIFE_REISSUE:
        return ngx_agt_exchange(r, ctx, lcf, &ngx_agt_reissuing_type);

    case NGX_AGT_LIFE_VERIFY:
        return ngx_agt_reissue_verified(r, ctx, lcf);

    case NGX_AGT_LIFE_GIVEN:
        return NGX_OK;

    default:

        /* not reached: no other life has a verdict that allows */

        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
}


/*
 * The key is of API, credential, parent and organisation; no token has these
 * bytes.  All spellings of the parent are one, or a client could have as many
 * children as there are, until the ledger has no room for those of others.
 */

static ngx_int_t
ngx_agt_reissue_prepare(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf)
{
    ngx_str_t            parts[4];
    const u_char        *parent;
    ngx_agt_exchange_t  *x;

    x = ctx->exchange;
    parent = ngx_agt_look_up_denial_key(ctx);

    if (parent == NULL
        || ngx_http_complex_value(r, lcf->reissue, &x->what.org) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (!ngx_agt_exchange_is_name(&x->what.org)
        || (ctx->api_key && ctx->raw.len == 0))
    {
        x->cause = ctx->api_key && ctx->raw.len == 0 ? NGX_AGT_CAUSE_NO_RAW
                                                     : NGX_AGT_CAUSE_NO_VALUE;
        return ngx_agt_exchange_refuse(r, ctx, lcf, NGX_AGT_VERDICT_FORBIDDEN,
                                       NGX_AGT_REASON_REISSUE);
    }

    ngx_str_set(&parts[0], "\0reissue\0");
    parts[1].data = lcf->origin->issued;
    parts[1].len = NGX_AGT_DIGEST_LEN;
    parts[2].data = (u_char *) parent;
    parts[2].len = NGX_AGT_DIGEST_LEN;
    parts[3] = x->what.org;

    return (ngx_agt_digest(x->key, parts, 4) == NGX_OK)
           ? NGX_OK : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/*
 * A new token is verified before it goes upstream.  One that was kept is asked
 * for again if it is too old, is denied on its own, or has more than its parent
 * has by now.
 */

static ngx_int_t
ngx_agt_reissue_given(ngx_http_request_t *r, ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf, const ngx_agt_issued_t *kept)
{
    ngx_int_t            rc;
    ngx_agt_exchange_t  *x;

    x = ctx->exchange;

    if (kept == NULL) {
        return ngx_agt_reissue_verify(r, ctx, lcf);
    }

    if (kept->verified
        && ngx_agt_look_up_keep(r->pool, &kept->facts, &x->packed, &x->facts)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (!ngx_agt_reissue_is_young(r, ctx, lcf, kept->has_exp,
                                  kept->verified && x->facts.jti.len))
    {
        return NGX_DECLINED;
    }

    if (!kept->verified) {
        return ngx_agt_reissue_verify(r, ctx, lcf);
    }

    if (!ngx_agt_reissue_is_less(ctx)) {
        return NGX_DECLINED;
    }

    rc = ngx_agt_reissue_alive(r, ctx, lcf, kept);

    if (rc == NGX_OK) {
        ctx->life = NGX_AGT_LIFE_GIVEN;
    }

    return rc;
}


/* 1 if the API need not be asked about the kept token again, else 0 */

static ngx_uint_t
ngx_agt_reissue_is_young(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf,
    ngx_uint_t has_exp, ngx_uint_t has_jti)
{
    uint64_t         limit;
    ngx_uint_t       watched;
    ngx_agt_clock_t  now;

    ngx_agt_clock_now(&now);

    watched = has_jti && ngx_agt_look_up_watched(r, lcf->origin->api, &now);

    limit = ngx_agt_cache_limit(&lcf->lifetimes, ctx->exchange->key,
                                NGX_AGT_CLASS_ACTIVE, has_exp, watched);

    return now.mono - ngx_min(ctx->exchange->sent, now.mono) < limit;
}


/*
 * A token that is kept may be denied on its own, by the API's list or here,
 * while its parent is good: NGX_DECLINED then, and another is asked for.
 */

static ngx_int_t
ngx_agt_reissue_alive(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf,
    const ngx_agt_issued_t *secret)
{
    ngx_agt_clock_t      now;
    ngx_agt_found_t      found;
    ngx_agt_denials_t   *denials;
    ngx_atomic_uint_t    generation;
    ngx_agt_exchange_t  *x;

    x = ctx->exchange;
    denials = ngx_agt_request_denials(r);
    generation = ngx_agt_denials_generation(denials);

    if (secret->clean >= generation) {
        return NGX_OK;
    }

    if (ngx_agt_reissue_digest(x) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_agt_clock_now(&now);

    if (ngx_agt_denials_check(denials, ctx->api->digest, x->own, &x->facts,
                              secret->sent, &now)
        != NGX_AGT_REASON_NONE)
    {
        return NGX_DECLINED;
    }

    ngx_memzero(&found, sizeof(ngx_agt_found_t));
    found.serial = secret->serial;

    ngx_agt_cache_note(lcf->origin->zone, &x->place, &found, generation, 0);

    return NGX_OK;
}


/* the parent is denied, whatever denies it */

static ngx_int_t
ngx_agt_reissue_revoked(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf)
{
    const u_char      *key;
    ngx_agt_reason_e   denied;

    denied = ngx_agt_reissue_denied(r, ctx);
    key = ngx_agt_look_up_denial_key(ctx);

    if (key && (denied == NGX_AGT_REASON_NONE
                || denied == NGX_AGT_REASON_REVOKED))
    {
        ngx_agt_introspect_revoked(ctx->api, ctx->digest, key, &ctx->facts,
                            lcf->lifetimes.invalid);
    }

    return ngx_agt_exchange_refuse(r, ctx, lcf, NGX_AGT_VERDICT_REVOKED,
                                   denied != NGX_AGT_REASON_NONE
                                   ? denied : ctx->exchange->reason);
}


/* the API says what the new token is good for */

static ngx_int_t
ngx_agt_reissue_verify(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf)
{
    ngx_int_t                rc;
    ngx_agt_found_t          found;
    ngx_agt_answer_t         answer;
    ngx_agt_exchange_t      *x;
    ngx_agt_cache_key_t      key;
    ngx_agt_introspect_t     introspect;
    ngx_agt_budget_client_t  client;

    x = ctx->exchange;

    if (x->token.len == 0 || ngx_agt_reissue_digest(x) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_agt_look_up_question(ctx, lcf, &introspect);

    introspect.token = x->token;
    introspect.call.key = x->digest;
    introspect.api_key = 0;
    introspect.call.seen = 0;

    ngx_agt_budget_client(r->connection->sockaddr, &client);

    introspect.call.client = &client;

    /*
     * The worker that got the token has the time of its own event.  Facts would
     * seem to be older than the token if this worker's time was behind that.
     */

    if (ngx_agt_clock_mono() < x->sent) {
        ngx_time_update();
    }

    /* facts from before the token was given are too old */

    key.key = x->digest;
    key.origin = lcf->origin->number;

    if (lcf->origin->zone
        && ngx_agt_cache_find(lcf->origin->zone, &key, 0, &found) == NGX_OK
        && found.sent < x->sent)
    {
        introspect.call.seen = found.serial;
    }

    ctx->life = NGX_AGT_LIFE_VERIFY;

    rc = ngx_agt_introspect(&introspect, &ctx->waiter, &answer);

    rc = ngx_agt_wait(ctx, lcf, rc, &answer, ngx_agt_exchange_take);

    return (rc == NGX_AGAIN) ? rc : ngx_agt_reissue_verified(r, ctx, lcf);
}


static ngx_int_t
ngx_agt_reissue_verified(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf)
{
    ngx_agt_clock_t      now;
    ngx_agt_reason_e     denied;
    ngx_agt_exchange_t  *x;

    x = ctx->exchange;

    if (x->class != NGX_AGT_CLASS_ACTIVE
        && x->class != NGX_AGT_CLASS_INVALID
        && x->class != NGX_AGT_CLASS_REVOKED)
    {
        return ngx_agt_exchange_refuse(r, ctx, lcf,
                                       NGX_AGT_VERDICT_UNAVAILABLE, x->reason);
    }

    denied = ngx_agt_reissue_denied(r, ctx);

    if (denied != NGX_AGT_REASON_NONE) {
        return ngx_agt_exchange_refuse(r, ctx, lcf, NGX_AGT_VERDICT_REVOKED,
                                       denied);
    }

    if (x->class != NGX_AGT_CLASS_ACTIVE) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "agilicus token: the Tokens API does not take the token "
                      "that it has reissued: %V",
                      ngx_agt_reason_word(x->reason));

        x->cause = NGX_AGT_CAUSE_NOT_TAKEN;

        return ngx_agt_reissue_refused(r, ctx, lcf);
    }

    if (!ngx_agt_reissue_is_less(ctx)) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "agilicus token: the token that was reissued is not "
                      "the one that was asked for, or is good for more than "
                      "its parent");

        x->cause = NGX_AGT_CAUSE_MORE;

        return ngx_agt_reissue_refused(r, ctx, lcf);
    }

    ngx_agt_clock_now(&now);

    ngx_agt_children_note(ngx_agt_request_denials(r), ctx->api->digest,
                          x->own, &x->facts, &now);

    if (lcf->origin->zone) {
        (void) ngx_agt_issued_store(lcf->origin->zone, &x->place,
                                    NGX_AGT_REASON_REISSUE, &x->packed,
                                    &x->token, x->sent);
    }

    ctx->life = NGX_AGT_LIFE_GIVEN;

    return NGX_OK;
}


/* the digest of the token for upstream, and the key under which it is denied */

static ngx_int_t
ngx_agt_reissue_digest(ngx_agt_exchange_t *x)
{
    if (ngx_agt_digest(x->digest, &x->token, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_agt_denials_token(x->own, &x->token, x->digest);
}


/* the token ends, and none is asked for until the refusal is too old */

static ngx_int_t
ngx_agt_reissue_refused(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf)
{
    ngx_str_t        none, cause;
    ngx_agt_clock_t  now;

    ngx_agt_clock_now(&now);

    ngx_agt_children_end(ngx_agt_request_denials(r), ctx->api->digest,
                         ctx->exchange->own, &now);

    if (lcf->origin->zone) {
        ngx_str_null(&none);

        cause.data = (u_char *) &ctx->exchange->cause;
        cause.len = sizeof(ctx->exchange->cause);

        (void) ngx_agt_cache_store(lcf->origin->zone, &ctx->exchange->place,
                                   NGX_AGT_CLASS_INVALID,
                                   NGX_AGT_REASON_REISSUE, &cause, &none,
                                   now.mono, now.mono, 0);
    }

    return ngx_agt_exchange_refuse(r, ctx, lcf, NGX_AGT_VERDICT_FORBIDDEN,
                                   NGX_AGT_REASON_REISSUE);
}


/* the parent may have been denied while its child was waited for */

static ngx_agt_reason_e
ngx_agt_reissue_denied(ngx_http_request_t *r, ngx_agt_ctx_t *ctx)
{
    ngx_agt_clock_t  now;

    ngx_agt_clock_now(&now);

    return ngx_agt_look_up_denial(ctx, &now);
}


/*
 * RFC 8693 and API: the same subject, the organisation that was asked for, no
 * scope that the parent has not, no later expiry.
 */

static ngx_uint_t
ngx_agt_reissue_is_less(ngx_agt_ctx_t *ctx)
{
    ngx_str_t               scope;
    ngx_agt_list_t          scopes;
    const ngx_agt_facts_t  *child, *parent;

    child = &ctx->exchange->facts;
    parent = &ctx->facts;

    if (!ngx_agt_text_equal(&child->sub, &parent->sub)
        || !ngx_agt_text_equal(&child->org, &ctx->exchange->what.org))
    {
        return 0;
    }

    if (parent->has_exp && (!child->has_exp || child->exp > parent->exp)) {
        return 0;
    }

    if (ngx_agt_policy_expired(child, ctx->leeway, 0, ngx_time())
        || ngx_agt_policy_ended(child, 0, ngx_time())
        || ngx_agt_policy_ahead(child, ctx->leeway, ngx_time()))
    {
        return 0;
    }

    /* upstream may read what is no list here */

    if (child->odd_scopes) {
        return 0;
    }

    scopes = child->lists[NGX_AGT_FACTS_SCOPES];

    while (ngx_agt_facts_next(&scopes, &scope) == NGX_OK) {

        if (!ngx_agt_facts_has(&parent->lists[NGX_AGT_FACTS_SCOPES], &scope)) {
            return 0;
        }
    }

    return 1;
}
