
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "upstream/reissue.h"
#include "request/context.h"
#include "request/wait.h"
#include "request/look_up.h"
#include "upstream/exchange.h"
#include "zone/clock.h"
#include "token/time.h"
#include "zone/children.h"


static ngx_int_t ngx_agt_reissue_find(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);
static ngx_int_t ngx_agt_reissue_use(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf,
    const ngx_agt_secret_t *secret);
static ngx_uint_t ngx_agt_reissue_is_young(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf,
    ngx_uint_t has_exp, ngx_uint_t has_jti);
static ngx_int_t ngx_agt_reissue_alive(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf,
    const ngx_agt_secret_t *secret);
static ngx_int_t ngx_agt_reissue_key(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);
static ngx_int_t ngx_agt_reissue_ask(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);
static ngx_int_t ngx_agt_reissue_answer(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);
static ngx_int_t ngx_agt_reissue_verify(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);
static void ngx_agt_reissue_known(
    const ngx_agt_ctx_t *ctx,
    const ngx_agt_loc_conf_t *lcf,
    ngx_agt_introspect_t *introspect);
static ngx_int_t ngx_agt_reissue_verified(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf);
static ngx_int_t ngx_agt_reissue_own(const ngx_agt_ctx_t *ctx, u_char *own);
static ngx_int_t ngx_agt_reissue_refused(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf, const u_char *own);
static ngx_agt_reason_e ngx_agt_reissue_denied(
    ngx_http_request_t *r, ngx_agt_ctx_t *ctx);
static ngx_uint_t ngx_agt_reissue_is_less(ngx_agt_ctx_t *ctx);
static ngx_uint_t ngx_agt_reissue_has_no_more(
    const ngx_agt_list_t *child,
    const ngx_agt_list_t *parent);


ngx_int_t
ngx_agt_reissue(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf)
{
    switch (ctx->step) {

    case NGX_AGT_STEP_NONE:
        return ngx_agt_reissue_find(r, ctx, lcf);

    case NGX_AGT_STEP_REISSUE:
        return ngx_agt_reissue_answer(r, ctx, lcf);

    case NGX_AGT_STEP_VERIFY:
        return ngx_agt_reissue_verified(r, ctx, lcf);

    default: /* NGX_AGT_STEP_DONE */
        return NGX_OK;
    }
}


static ngx_int_t
ngx_agt_reissue_find(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf)
{
    ngx_int_t            rc;
    ngx_agt_secret_t     secret;
    ngx_agt_cache_key_t  key;

    rc = ngx_agt_reissue_key(r, ctx, lcf);

    if (rc == NGX_DECLINED) {
        return ngx_agt_exchange_refuse(r, ctx, lcf, NGX_AGT_VERDICT_FORBIDDEN,
                                        NGX_AGT_REASON_REISSUE);
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->seen = 0;

    if (lcf->origin->zone == NULL) {
        return ngx_agt_reissue_ask(r, ctx, lcf);
    }

    key.key = ctx->key;
    key.context = lcf->origin->context;

    if (ngx_agt_secret_find(lcf->origin->zone, &key,
                            ngx_agt_call_buffer(),
                            &secret)
        != NGX_OK)
    {
        return ngx_agt_reissue_ask(r, ctx, lcf);
    }

    ctx->seen = secret.serial;

    if (!ngx_agt_secret_is_fresh(ctx, lcf, &secret)) {
        rc = NGX_DECLINED;

    } else if (secret.class != NGX_AGT_CLASS_ACTIVE) {
        return ngx_agt_exchange_refuse(r, ctx, lcf, NGX_AGT_VERDICT_FORBIDDEN,
                                        NGX_AGT_REASON_REISSUE);

    } else {
        rc = ngx_agt_reissue_use(r, ctx, lcf, &secret);
    }

    if (secret.token.len) {
        ngx_explicit_memzero(secret.token.data, secret.token.len);
    }

    if (rc == NGX_AGAIN) {
        return ngx_agt_reissue_verify(r, ctx, lcf);
    }

    if (rc == NGX_OK) {
        ctx->step = NGX_AGT_STEP_DONE;
        return NGX_OK;
    }

    ngx_str_null(&ctx->upstream);

    return (rc == NGX_DECLINED) ? ngx_agt_reissue_ask(r, ctx, lcf)
                                : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/*
 * Takes what is kept: NGX_OK if it may go upstream, NGX_AGAIN if the API is to
 * be asked of it, NGX_DECLINED if it is to be reissued again: the kept one is
 * too old, is denied on its own, or has more than its parent has by now.
 */

static ngx_int_t
ngx_agt_reissue_use(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf,
    const ngx_agt_secret_t *secret)
{
    ctx->given = secret->sent;

    if (secret->verified && ngx_agt_keep_child(ctx, &secret->facts) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!ngx_agt_reissue_is_young(r, ctx, lcf, secret->has_exp,
                                  secret->verified
                                  && ctx->child.jti.len))
    {
        return NGX_DECLINED;
    }

    if (ngx_agt_keep_secret(r, &secret->token, &ctx->upstream) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!secret->verified) {
        return NGX_AGAIN;
    }

    if (!ngx_agt_reissue_is_less(ctx)) {
        return NGX_DECLINED;
    }

    return ngx_agt_reissue_alive(r, ctx, lcf, secret);
}


/* a token that was given is looked at again like any other */

static ngx_uint_t
ngx_agt_reissue_is_young(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf,
    ngx_uint_t has_exp, ngx_uint_t has_jti)
{
    uint64_t         limit;
    ngx_uint_t       watched;
    ngx_agt_clock_t  now;

    ngx_agt_zone_now(&now);

    watched = has_jti && ngx_agt_look_up_watched(r, lcf->origin->api, &now);

    limit = ngx_agt_cache_limit(&lcf->lifetimes, ctx->key,
                                NGX_AGT_CLASS_ACTIVE, has_exp, watched);

    return now.mono - ngx_min(ctx->given, now.mono) < limit;
}


/*
 * A token that is kept may be denied on its own, by the API's list or here,
 * while its parent is good: NGX_DECLINED then, and another is asked for.
 */

static ngx_int_t
ngx_agt_reissue_alive(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf,
    const ngx_agt_secret_t *secret)
{
    u_char               own[NGX_AGT_DIGEST_LEN];
    ngx_atomic_uint_t    generation;
    ngx_agt_clock_t      now;
    ngx_agt_found_t      found;
    ngx_agt_denials_t   *denials;
    ngx_agt_cache_key_t  key;

    denials = ngx_agt_request_denials(r);
    generation = ngx_agt_denials_generation(denials);

    if (secret->clean >= generation) {
        return NGX_OK;
    }

    if (ngx_agt_reissue_own(ctx, own) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_agt_zone_now(&now);

    if (ngx_agt_denials_check(denials, ctx->api->digest, own,
                              &ctx->child, secret->sent, &now)
        != NGX_AGT_REASON_NONE)
    {
        return NGX_DECLINED;
    }

    ngx_memzero(&found, sizeof(ngx_agt_found_t));
    found.serial = secret->serial;

    key.key = ctx->key;
    key.context = lcf->origin->context;

    ngx_agt_cache_note(lcf->origin->zone, &key, &found, generation, 0);

    return NGX_OK;
}


/*
 * API, credential, parent and organisation; no token has these bytes.  All
 * spellings of the parent are one, or a client could have as many children as
 * there are, until the ledger has no room for those of others.
 */

static ngx_int_t
ngx_agt_reissue_key(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf)
{
    ngx_str_t      parts[4];
    const u_char  *parent;

    if (ngx_http_complex_value(r, lcf->reissue, &ctx->org) != NGX_OK) {
        return NGX_ERROR;
    }

    parent = ngx_agt_look_up_denial_key(ctx);

    if (parent == NULL) {
        return NGX_ERROR;
    }

    if (!ngx_agt_is_name(&ctx->org)) {
        return NGX_DECLINED;
    }

    ngx_str_set(&parts[0], "\0reissue\0");
    parts[1].data = lcf->origin->issued;
    parts[1].len = NGX_AGT_DIGEST_LEN;
    parts[2].data = (u_char *) parent;
    parts[2].len = NGX_AGT_DIGEST_LEN;
    parts[3] = ctx->org;

    return ngx_agt_digest(ctx->key, parts, 4);
}


static ngx_int_t
ngx_agt_reissue_ask(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf)
{
    ngx_int_t                rc;
    ngx_agt_answer_t         answer;
    ngx_agt_reissue_t        reissue;
    ngx_agt_budget_client_t  client;

    ngx_agt_budget_client(r->connection->sockaddr, &client);

    ngx_memzero(&reissue, sizeof(ngx_agt_reissue_t));

    reissue.origin = lcf->origin;
    reissue.token = ctx->token;
    reissue.digest = ctx->digest;
    reissue.facts = &ctx->facts;
    reissue.asked = ctx->first_asked;
    reissue.org = ctx->org;
    reissue.key = ctx->key;
    reissue.seen = ctx->seen;
    reissue.connect_timeout = lcf->api_connect_timeout;
    reissue.timeout = lcf->api_timeout;
    reissue.client = &client;

    ctx->step = NGX_AGT_STEP_REISSUE;

    rc = ngx_agt_issue_reissue(&reissue, &ctx->waiter, &answer);

    if (ngx_agt_wait(ctx, lcf, rc, &answer, ngx_agt_exchange_take)
        == NGX_AGAIN)
    {
        return NGX_AGAIN;
    }

    return ngx_agt_reissue_answer(r, ctx, lcf);
}


static ngx_int_t
ngx_agt_reissue_answer(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf)
{
    const u_char     *key;
    ngx_agt_reason_e  denied;

    switch (ctx->class) {

    case NGX_AGT_CLASS_ACTIVE:
        return ngx_agt_reissue_verify(r, ctx, lcf);

    case NGX_AGT_CLASS_INVALID:
        return ngx_agt_exchange_refuse(r, ctx, lcf, NGX_AGT_VERDICT_FORBIDDEN,
                                        NGX_AGT_REASON_REISSUE);

    case NGX_AGT_CLASS_REVOKED:

        /* the parent is denied, by whatever stands against it */

        denied = ngx_agt_reissue_denied(r, ctx);
        key = ngx_agt_look_up_denial_key(ctx);

        if (key && (denied == NGX_AGT_REASON_NONE
                    || denied == NGX_AGT_REASON_REVOKED))
        {
            ngx_agt_api_revoked(ctx->api, ctx->digest, key, &ctx->facts,
                                lcf->lifetimes.invalid);
        }

        return ngx_agt_exchange_refuse(r, ctx, lcf,
                                    NGX_AGT_VERDICT_REVOKED,
                                    denied != NGX_AGT_REASON_NONE
                                    ? denied : ctx->answer_reason);

    default:
        return ngx_agt_exchange_refuse(r, ctx, lcf,
                                      NGX_AGT_VERDICT_UNAVAILABLE,
                                      ctx->answer_reason);
    }
}


/* nobody has looked at the new token yet: the API says what it is good for */

static ngx_int_t
ngx_agt_reissue_verify(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf)
{
    u_char                digest[NGX_AGT_DIGEST_LEN];
    ngx_int_t             rc;
    ngx_str_t             part;
    ngx_agt_answer_t      answer;
    ngx_agt_introspect_t  introspect;

    part = ctx->upstream;

    if (part.len == 0 || ngx_agt_digest(digest, &part, 1) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(&introspect, sizeof(ngx_agt_introspect_t));

    introspect.origin = lcf->origin;
    introspect.token = ctx->upstream;
    introspect.digest = digest;
    introspect.connect_timeout = lcf->api_connect_timeout;
    introspect.timeout = lcf->api_timeout;
    introspect.invalid = lcf->lifetimes.invalid;

    ngx_agt_reissue_known(ctx, lcf, &introspect);

    ctx->step = NGX_AGT_STEP_VERIFY;

    rc = ngx_agt_api_introspect(&introspect, &ctx->waiter, &answer);

    if (ngx_agt_wait(ctx, lcf, rc, &answer, ngx_agt_exchange_take)
        == NGX_AGAIN)
    {
        return NGX_AGAIN;
    }

    return ngx_agt_reissue_verified(r, ctx, lcf);
}


/* what was known of a token before it was given is known too long */

static void
ngx_agt_reissue_known(const ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf,
    ngx_agt_introspect_t *introspect)
{
    ngx_agt_found_t      found;
    ngx_agt_cache_key_t  key;

    if (lcf->origin->zone == NULL) {
        return;
    }

    key.key = introspect->digest;
    key.context = lcf->origin->context;

    if (ngx_agt_cache_find(lcf->origin->zone, &key, 0, &found)
            == NGX_OK
        && found.sent < ctx->given)
    {
        introspect->seen = found.serial;
    }
}


static ngx_int_t
ngx_agt_reissue_verified(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf)
{
    u_char               own[NGX_AGT_DIGEST_LEN];
    ngx_agt_clock_t      now;
    ngx_agt_reason_e     denied;
    ngx_agt_cache_key_t  key;

    if (ctx->class != NGX_AGT_CLASS_ACTIVE
        && ctx->class != NGX_AGT_CLASS_INVALID
        && ctx->class != NGX_AGT_CLASS_REVOKED)
    {
        return ngx_agt_exchange_refuse(r, ctx, lcf,
                                      NGX_AGT_VERDICT_UNAVAILABLE,
                                      ctx->answer_reason);
    }

    denied = ngx_agt_reissue_denied(r, ctx);

    if (denied != NGX_AGT_REASON_NONE) {
        return ngx_agt_exchange_refuse(r, ctx, lcf, NGX_AGT_VERDICT_REVOKED,
                                          denied);
    }

    if (ngx_agt_reissue_own(ctx, own) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->class != NGX_AGT_CLASS_ACTIVE) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "agilicus token: the Tokens API does not take the token "
                      "that it has reissued: %V",
                      ngx_agt_reason_word(ctx->answer_reason));

        return ngx_agt_reissue_refused(r, ctx, lcf, own);
    }

    if (!ngx_agt_reissue_is_less(ctx)) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "agilicus token: the token that was reissued is not "
                      "the one that was asked for, or is good for more than "
                      "its parent");

        return ngx_agt_reissue_refused(r, ctx, lcf, own);
    }

    ngx_agt_zone_now(&now);

    ngx_agt_children_note(ngx_agt_request_denials(r),
                          ctx->api->digest, own, &ctx->child, &now);

    if (lcf->origin->zone) {
        key.key = ctx->key;
        key.context = lcf->origin->context;

        (void) ngx_agt_secret_store(lcf->origin->zone, &key,
                                           NGX_AGT_REASON_REISSUE,
                                           &ctx->child_packed, &ctx->upstream,
                                           ctx->given);
    }

    ctx->step = NGX_AGT_STEP_DONE;

    return NGX_OK;
}


/* the key under which the token for upstream is denied */

static ngx_int_t
ngx_agt_reissue_own(const ngx_agt_ctx_t *ctx, u_char *own)
{
    u_char     digest[NGX_AGT_DIGEST_LEN];
    ngx_str_t  part;

    part = ctx->upstream;

    if (ngx_agt_digest(digest, &part, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_agt_denials_token(own, &ctx->upstream, digest);
}


/* such a token ends, and none is asked for until the refusal is too old */

static ngx_int_t
ngx_agt_reissue_refused(ngx_http_request_t *r,
    ngx_agt_ctx_t *ctx, const ngx_agt_loc_conf_t *lcf, const u_char *own)
{
    ngx_str_t            none;
    ngx_agt_clock_t      now;
    ngx_agt_cache_key_t  key;

    ngx_agt_zone_now(&now);

    ngx_agt_children_end(ngx_agt_request_denials(r), ctx->api->digest, own,
                         &now);

    if (lcf->origin->zone) {
        ngx_str_null(&none);

        key.key = ctx->key;
        key.context = lcf->origin->context;

        (void) ngx_agt_cache_store(lcf->origin->zone, &key,
                                       NGX_AGT_CLASS_INVALID,
                                       NGX_AGT_REASON_REISSUE,
                                       &none, &none, ngx_agt_mono(),
                                       ngx_agt_mono(), 0);
    }

    return ngx_agt_exchange_refuse(r, ctx, lcf, NGX_AGT_VERDICT_FORBIDDEN,
                                        NGX_AGT_REASON_REISSUE);
}


/* the parent may have been denied while its child was waited for */

static ngx_agt_reason_e
ngx_agt_reissue_denied(ngx_http_request_t *r, ngx_agt_ctx_t *ctx)
{
    ngx_agt_clock_t  now;

    ngx_agt_zone_now(&now);

    return ngx_agt_look_up_denial(ctx, &now);
}


/*
 * RFC 8693 and API: the same subject, the organisation that was asked for, no
 * scope that the parent has not, no later expiry.
 */

static ngx_uint_t
ngx_agt_reissue_is_less(ngx_agt_ctx_t *ctx)
{
    const ngx_agt_facts_t  *child, *parent;

    child = &ctx->child;
    parent = &ctx->facts;

    if (child->sub.len != parent->sub.len
        || ngx_memcmp(child->sub.data, parent->sub.data, child->sub.len) != 0
        || child->org.len != ctx->org.len
        || ngx_memcmp(child->org.data, ctx->org.data, child->org.len) != 0)
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

    return !child->odd_scopes
           && ngx_agt_reissue_has_no_more(
                  &child->lists[NGX_AGT_FACTS_SCOPES],
                  &parent->lists[NGX_AGT_FACTS_SCOPES]);
}


static ngx_uint_t
ngx_agt_reissue_has_no_more(const ngx_agt_list_t *child,
    const ngx_agt_list_t *parent)
{
    ngx_str_t       scope;
    ngx_agt_list_t  scopes;

    scopes = *child;

    while (ngx_agt_facts_next(&scopes, &scope) == NGX_OK) {

        if (!ngx_agt_facts_has(parent, &scope)) {
            return 0;
        }
    }

    return 1;
}
