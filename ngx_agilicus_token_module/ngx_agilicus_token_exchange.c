
/*
 * Copyright (C) the ngx_agilicus_token_module authors
 */


#include "ngx_agilicus_token_module.h"
#include "ngx_agilicus_token_grant.h"
#include "ngx_agilicus_token_time.h"


/*
 * Tokens for upstream, between the access phase and the content: reissued for
 * another organisation, or created for a caller who came without one.  Each
 * step may wait; the phase runs again then and finds where it was.
 */

static ngx_int_t ngx_agilicus_token_reissue_find(ngx_http_request_t *r,
    ngx_agilicus_token_ctx_t *ctx, const ngx_agilicus_token_loc_conf_t *lcf);
static ngx_int_t ngx_agilicus_token_reissue_key(ngx_http_request_t *r,
    ngx_agilicus_token_ctx_t *ctx, const ngx_agilicus_token_loc_conf_t *lcf);
static ngx_int_t ngx_agilicus_token_reissue_ask(ngx_http_request_t *r,
    ngx_agilicus_token_ctx_t *ctx, const ngx_agilicus_token_loc_conf_t *lcf);
static ngx_int_t ngx_agilicus_token_reissue_answer(ngx_http_request_t *r,
    ngx_agilicus_token_ctx_t *ctx, const ngx_agilicus_token_loc_conf_t *lcf);
static ngx_int_t ngx_agilicus_token_reissue_verify(ngx_http_request_t *r,
    ngx_agilicus_token_ctx_t *ctx, const ngx_agilicus_token_loc_conf_t *lcf);
static ngx_int_t ngx_agilicus_token_reissue_verified(ngx_http_request_t *r,
    ngx_agilicus_token_ctx_t *ctx, const ngx_agilicus_token_loc_conf_t *lcf);
static ngx_uint_t ngx_agilicus_token_reissue_is_less(
    ngx_agilicus_token_ctx_t *ctx, ngx_agilicus_token_facts_t *child);
static ngx_uint_t ngx_agilicus_token_secret_is_fresh(
    ngx_agilicus_token_secret_t *secret,
    const ngx_agilicus_token_lifetimes_t *lifetimes);
static ngx_int_t ngx_agilicus_token_create_find(ngx_http_request_t *r,
    ngx_agilicus_token_ctx_t *ctx, const ngx_agilicus_token_loc_conf_t *lcf);
static ngx_uint_t ngx_agilicus_token_create_identified(ngx_http_request_t *r,
    const ngx_agilicus_token_create_conf_t *conf);
static ngx_int_t ngx_agilicus_token_create_values(ngx_http_request_t *r,
    const ngx_agilicus_token_create_conf_t *conf,
    ngx_agilicus_token_json_create_t *what);
static ngx_int_t ngx_agilicus_token_create_list(ngx_http_request_t *r,
    ngx_array_t *values, ngx_str_t **list, ngx_uint_t *n);
static ngx_int_t ngx_agilicus_token_create_key(ngx_http_request_t *r,
    ngx_agilicus_token_ctx_t *ctx,
    const ngx_agilicus_token_json_create_t *what);
static ngx_int_t ngx_agilicus_token_create_ask(ngx_http_request_t *r,
    ngx_agilicus_token_ctx_t *ctx, const ngx_agilicus_token_loc_conf_t *lcf,
    ngx_agilicus_token_json_create_t *what);
static ngx_int_t ngx_agilicus_token_create_answer(ngx_http_request_t *r,
    ngx_agilicus_token_ctx_t *ctx, const ngx_agilicus_token_loc_conf_t *lcf);
static ngx_int_t ngx_agilicus_token_create_present(
    ngx_agilicus_token_ctx_t *ctx);
static ngx_int_t ngx_agilicus_token_exchange_wait(ngx_http_request_t *r,
    ngx_agilicus_token_ctx_t *ctx, const ngx_agilicus_token_loc_conf_t *lcf,
    ngx_int_t rc, ngx_agilicus_token_answer_t *answer);
static void ngx_agilicus_token_exchange_answered(void *data,
    ngx_agilicus_token_answer_t *answer);
static ngx_int_t ngx_agilicus_token_keep_secret(ngx_http_request_t *r,
    const ngx_str_t *token, ngx_str_t *kept);
static void ngx_agilicus_token_wipe_secret(void *data);
static ngx_int_t ngx_agilicus_token_exchange_refuse(ngx_http_request_t *r,
    ngx_agilicus_token_ctx_t *ctx, const ngx_agilicus_token_loc_conf_t *lcf,
    ngx_agilicus_token_verdict_e verdict, ngx_agilicus_token_reason_e reason);


ngx_int_t
ngx_agilicus_token_reissue(ngx_http_request_t *r,
    ngx_agilicus_token_ctx_t *ctx, const ngx_agilicus_token_loc_conf_t *lcf)
{
    switch (ctx->step) {

    case NGX_AGILICUS_TOKEN_STEP_NONE:
        return ngx_agilicus_token_reissue_find(r, ctx, lcf);

    case NGX_AGILICUS_TOKEN_STEP_REISSUE:
        return ngx_agilicus_token_reissue_answer(r, ctx, lcf);

    case NGX_AGILICUS_TOKEN_STEP_VERIFY:
        return ngx_agilicus_token_reissue_verified(r, ctx, lcf);

    default: /* NGX_AGILICUS_TOKEN_STEP_DONE */
        return NGX_OK;
    }
}


static ngx_int_t
ngx_agilicus_token_reissue_find(ngx_http_request_t *r,
    ngx_agilicus_token_ctx_t *ctx, const ngx_agilicus_token_loc_conf_t *lcf)
{
    ngx_int_t                       rc;
    ngx_agilicus_token_secret_t     secret;
    ngx_agilicus_token_cache_key_t  key;

    rc = ngx_agilicus_token_reissue_key(r, ctx, lcf);

    if (rc == NGX_DECLINED) {
        return ngx_agilicus_token_exchange_refuse(r, ctx, lcf,
                                        NGX_AGILICUS_TOKEN_VERDICT_FORBIDDEN,
                                        NGX_AGILICUS_TOKEN_REASON_REISSUE);
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->seen = 0;

    if (lcf->origin->zone == NULL) {
        return ngx_agilicus_token_reissue_ask(r, ctx, lcf);
    }

    key.key = ctx->key;
    key.context = lcf->origin->context;

    if (ngx_agilicus_token_secret_find(lcf->origin->zone, &key,
                                       ngx_agilicus_token_call_buffer(),
                                       &secret)
        != NGX_OK)
    {
        return ngx_agilicus_token_reissue_ask(r, ctx, lcf);
    }

    ctx->seen = secret.serial;

    if (!ngx_agilicus_token_secret_is_fresh(&secret, &lcf->lifetimes)) {
        return ngx_agilicus_token_reissue_ask(r, ctx, lcf);
    }

    if (secret.class != NGX_AGILICUS_TOKEN_CLASS_ACTIVE) {
        return ngx_agilicus_token_exchange_refuse(r, ctx, lcf,
                                        NGX_AGILICUS_TOKEN_VERDICT_FORBIDDEN,
                                        NGX_AGILICUS_TOKEN_REASON_REISSUE);
    }

    rc = ngx_agilicus_token_keep_secret(r, &secret.token, &ctx->upstream);

    ngx_explicit_memzero(secret.token.data, secret.token.len);

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (secret.verified) {
        ctx->step = NGX_AGILICUS_TOKEN_STEP_DONE;
        return NGX_OK;
    }

    return ngx_agilicus_token_reissue_verify(r, ctx, lcf);
}


/* parent and organisation; no token has these bytes */

static ngx_int_t
ngx_agilicus_token_reissue_key(ngx_http_request_t *r,
    ngx_agilicus_token_ctx_t *ctx, const ngx_agilicus_token_loc_conf_t *lcf)
{
    ngx_str_t  parts[3];

    if (ngx_http_complex_value(r, lcf->reissue, &ctx->org) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ctx->org.len == 0) {
        return NGX_DECLINED;
    }

    ngx_str_set(&parts[0], "\0reissue\0");
    parts[1].data = ctx->digest;
    parts[1].len = NGX_AGILICUS_TOKEN_DIGEST_LEN;
    parts[2] = ctx->org;

    return ngx_agilicus_token_digest(ctx->key, parts, 3);
}


static ngx_int_t
ngx_agilicus_token_reissue_ask(ngx_http_request_t *r,
    ngx_agilicus_token_ctx_t *ctx, const ngx_agilicus_token_loc_conf_t *lcf)
{
    ngx_int_t                           rc;
    ngx_agilicus_token_answer_t         answer;
    ngx_agilicus_token_reissue_t        reissue;
    ngx_agilicus_token_budget_client_t  client;

    ngx_agilicus_token_budget_client(r->connection->sockaddr, &client);

    ngx_memzero(&reissue, sizeof(ngx_agilicus_token_reissue_t));

    reissue.origin = lcf->origin;
    reissue.token = ctx->token;
    reissue.parent.digest = ctx->digest;
    reissue.parent.facts = &ctx->facts;
    reissue.org = ctx->org;
    reissue.key = ctx->key;
    reissue.seen = ctx->seen;
    reissue.connect_timeout = lcf->api_connect_timeout;
    reissue.timeout = lcf->api_timeout;
    reissue.client = &client;

    ctx->step = NGX_AGILICUS_TOKEN_STEP_REISSUE;

    ctx->waiter.done = ngx_agilicus_token_exchange_answered;
    ctx->waiter.data = ctx;

    rc = ngx_agilicus_token_grant_reissue(&reissue, &ctx->waiter, &answer);

    if (ngx_agilicus_token_exchange_wait(r, ctx, lcf, rc, &answer)
        == NGX_AGAIN)
    {
        return NGX_AGAIN;
    }

    return ngx_agilicus_token_reissue_answer(r, ctx, lcf);
}


static ngx_int_t
ngx_agilicus_token_reissue_answer(ngx_http_request_t *r,
    ngx_agilicus_token_ctx_t *ctx, const ngx_agilicus_token_loc_conf_t *lcf)
{
    int64_t                                until;
    ngx_str_t                              value;
    ngx_agilicus_token_clock_t             now;
    const ngx_agilicus_token_main_conf_t  *mcf;

    switch (ctx->class) {

    case NGX_AGILICUS_TOKEN_CLASS_ACTIVE:
        return ngx_agilicus_token_reissue_verify(r, ctx, lcf);

    case NGX_AGILICUS_TOKEN_CLASS_INVALID:
        return ngx_agilicus_token_exchange_refuse(r, ctx, lcf,
                                        NGX_AGILICUS_TOKEN_VERDICT_FORBIDDEN,
                                        NGX_AGILICUS_TOKEN_REASON_REISSUE);

    case NGX_AGILICUS_TOKEN_CLASS_REVOKED:

        /* the API says so of the parent: from now on so do we */

        mcf = ngx_http_get_module_main_conf(r, ngx_agilicus_token_module);

        ngx_agilicus_token_zone_now(&now);

        until = ctx->facts.has_exp
                ? ngx_agilicus_token_time_add(ctx->facts.exp,
                                              mcf->api.max_leeway + 1)
                : now.wall + mcf->api.revocation_ttl;

        value.data = ctx->digest;
        value.len = NGX_AGILICUS_TOKEN_DIGEST_LEN;

        (void) ngx_agilicus_token_cache_deny(mcf->api.first,
                                             ctx->api->digest,
                                             NGX_AGILICUS_TOKEN_TOMBSTONE_TOKEN,
                                             &value, until, 0, &now);

        return ngx_agilicus_token_exchange_refuse(r, ctx, lcf,
                                          NGX_AGILICUS_TOKEN_VERDICT_REVOKED,
                                          NGX_AGILICUS_TOKEN_REASON_REVOKED);

    default:
        return ngx_agilicus_token_exchange_refuse(r, ctx, lcf,
                                      NGX_AGILICUS_TOKEN_VERDICT_UNAVAILABLE,
                                      ctx->answer_reason);
    }
}


/* nobody has looked at the new token yet: the API says what it is good for */

static ngx_int_t
ngx_agilicus_token_reissue_verify(ngx_http_request_t *r,
    ngx_agilicus_token_ctx_t *ctx, const ngx_agilicus_token_loc_conf_t *lcf)
{
    u_char                           digest[NGX_AGILICUS_TOKEN_DIGEST_LEN];
    ngx_int_t                        rc;
    ngx_str_t                        part;
    ngx_agilicus_token_answer_t      answer;
    ngx_agilicus_token_introspect_t  introspect;

    part = ctx->upstream;

    if (part.len == 0 || ngx_agilicus_token_digest(digest, &part, 1) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_agilicus_token_digest_equal(digest, ctx->digest)) {

        /* the very same token is none for another organisation */

        return ngx_agilicus_token_exchange_refuse(r, ctx, lcf,
                                        NGX_AGILICUS_TOKEN_VERDICT_FORBIDDEN,
                                        NGX_AGILICUS_TOKEN_REASON_REISSUE);
    }

    ngx_memzero(&introspect, sizeof(ngx_agilicus_token_introspect_t));

    introspect.origin = lcf->origin;
    introspect.token = ctx->upstream;
    introspect.digest = digest;
    introspect.connect_timeout = lcf->api_connect_timeout;
    introspect.timeout = lcf->api_timeout;

    ctx->step = NGX_AGILICUS_TOKEN_STEP_VERIFY;

    rc = ngx_agilicus_token_api_introspect(&introspect, &ctx->waiter, &answer);

    if (ngx_agilicus_token_exchange_wait(r, ctx, lcf, rc, &answer)
        == NGX_AGAIN)
    {
        return NGX_AGAIN;
    }

    return ngx_agilicus_token_reissue_verified(r, ctx, lcf);
}


static ngx_int_t
ngx_agilicus_token_reissue_verified(ngx_http_request_t *r,
    ngx_agilicus_token_ctx_t *ctx, const ngx_agilicus_token_loc_conf_t *lcf)
{
    u_char                           packed[4096];
    int64_t                          exp;
    ngx_str_t                        none, bytes;
    ngx_uint_t                       has_exp;
    ngx_agilicus_token_parent_t      parent;
    ngx_agilicus_token_cache_key_t   key;

    if (ctx->class != NGX_AGILICUS_TOKEN_CLASS_ACTIVE
        && ctx->class != NGX_AGILICUS_TOKEN_CLASS_INVALID
        && ctx->class != NGX_AGILICUS_TOKEN_CLASS_REVOKED)
    {
        return ngx_agilicus_token_exchange_refuse(r, ctx, lcf,
                                      NGX_AGILICUS_TOKEN_VERDICT_UNAVAILABLE,
                                      ctx->answer_reason);
    }

    key.key = ctx->key;
    key.context = lcf->origin->context;

    if (!ctx->is_less) {
        ngx_str_null(&none);

        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "agilicus token: the token that was reissued is not "
                      "the one that was asked for, or is good for more than "
                      "its parent");

        if (lcf->origin->zone) {
            (void) ngx_agilicus_token_cache_store(lcf->origin->zone, &key,
                                       NGX_AGILICUS_TOKEN_CLASS_INVALID,
                                       NGX_AGILICUS_TOKEN_REASON_REISSUE,
                                       &none, &none, ngx_current_msec, 0);
        }

        return ngx_agilicus_token_exchange_refuse(r, ctx, lcf,
                                        NGX_AGILICUS_TOKEN_VERDICT_FORBIDDEN,
                                        NGX_AGILICUS_TOKEN_REASON_REISSUE);
    }

    ctx->step = NGX_AGILICUS_TOKEN_STEP_DONE;

    if (lcf->origin->zone) {
        parent.digest = ctx->digest;
        parent.facts = &ctx->facts;

        has_exp = ctx->facts.has_exp || ctx->child_has_exp;
        exp = ctx->child_has_exp ? ctx->child_exp : ctx->facts.exp;

        bytes.data = packed;
        bytes.len = ngx_agilicus_token_secret_pack(packed, sizeof(packed),
                                                   &parent, has_exp, exp, 1);

        if (bytes.len) {
            (void) ngx_agilicus_token_secret_store(lcf->origin->zone, &key,
                                           NGX_AGILICUS_TOKEN_REASON_REISSUE,
                                           &bytes, &ctx->upstream,
                                           ngx_current_msec);
        }
    }

    return NGX_OK;
}


/*
 * RFC 8693 and API: the same subject, the organisation that was asked for, no
 * scope that the parent has not, no later expiry.
 */

static ngx_uint_t
ngx_agilicus_token_reissue_is_less(ngx_agilicus_token_ctx_t *ctx,
    ngx_agilicus_token_facts_t *child)
{
    ngx_str_t                    scope;
    ngx_agilicus_token_list_t    scopes;
    ngx_agilicus_token_facts_t  *parent;

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

    if (ngx_agilicus_token_policy_expired(child, ctx->leeway, 0, ngx_time())
        || (child->has_nbf && child->nbf > ngx_time() + ctx->leeway))
    {
        return 0;
    }

    scopes = child->lists[NGX_AGILICUS_TOKEN_FACTS_SCOPES];

    while (ngx_agilicus_token_facts_next(&scopes, &scope) == NGX_OK) {
        if (!ngx_agilicus_token_facts_has(
                 &parent->lists[NGX_AGILICUS_TOKEN_FACTS_SCOPES], &scope))
        {
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
ngx_agilicus_token_secret_is_fresh(ngx_agilicus_token_secret_t *secret,
    const ngx_agilicus_token_lifetimes_t *lifetimes)
{
    uint64_t  now, age;

    now = ngx_current_msec;
    age = now - ngx_min(secret->sent, now);

    if (secret->class != NGX_AGILICUS_TOKEN_CLASS_ACTIVE) {
        return age < lifetimes->invalid;
    }

    /* a token that never expires is asked for again from time to time */

    return secret->has_exp ? secret->exp > ngx_time()
                           : age < lifetimes->watched;
}


/*
 * Creation.  The access phase has let the caller in; that it was identified
 * there is looked at once more.
 */

ngx_int_t
ngx_agilicus_token_create(ngx_http_request_t *r,
    ngx_agilicus_token_ctx_t *ctx, const ngx_agilicus_token_loc_conf_t *lcf)
{
    switch (ctx->step) {

    case NGX_AGILICUS_TOKEN_STEP_NONE:
        return ngx_agilicus_token_create_find(r, ctx, lcf);

    case NGX_AGILICUS_TOKEN_STEP_CREATE:
        return ngx_agilicus_token_create_answer(r, ctx, lcf);

    default:
        return NGX_OK;
    }
}


static ngx_int_t
ngx_agilicus_token_create_find(ngx_http_request_t *r,
    ngx_agilicus_token_ctx_t *ctx, const ngx_agilicus_token_loc_conf_t *lcf)
{
    ngx_int_t                          rc;
    ngx_agilicus_token_secret_t        secret;
    ngx_agilicus_token_cache_key_t     key;
    ngx_agilicus_token_json_create_t   what;

    if (!ngx_agilicus_token_create_identified(r, lcf->create)) {
        goto nobody;
    }

    rc = ngx_agilicus_token_create_values(r, lcf->create, &what);

    if (rc == NGX_DECLINED) {
        goto nobody;
    }

    if (rc != NGX_OK || ngx_agilicus_token_create_key(r, ctx, &what) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->seen = 0;

    if (lcf->origin->zone == NULL) {
        return ngx_agilicus_token_create_ask(r, ctx, lcf, &what);
    }

    key.key = ctx->key;
    key.context = lcf->origin->context;

    if (ngx_agilicus_token_secret_find(lcf->origin->zone, &key,
                                       ngx_agilicus_token_call_buffer(),
                                       &secret)
        != NGX_OK)
    {
        return ngx_agilicus_token_create_ask(r, ctx, lcf, &what);
    }

    ctx->seen = secret.serial;

    if (ctx->again
        || !ngx_agilicus_token_secret_is_fresh(&secret, &lcf->lifetimes))
    {
        return ngx_agilicus_token_create_ask(r, ctx, lcf, &what);
    }

    if (secret.class != NGX_AGILICUS_TOKEN_CLASS_ACTIVE) {
        return ngx_agilicus_token_exchange_refuse(r, ctx, lcf,
                                        NGX_AGILICUS_TOKEN_VERDICT_FORBIDDEN,
                                        NGX_AGILICUS_TOKEN_REASON_CREATE);
    }

    rc = ngx_agilicus_token_keep_secret(r, &secret.token, &ctx->upstream);

    ngx_explicit_memzero(secret.token.data, secret.token.len);

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_agilicus_token_create_present(ctx);

nobody:

    return ngx_agilicus_token_exchange_refuse(r, ctx, lcf,
                                        NGX_AGILICUS_TOKEN_VERDICT_MISSING,
                                        NGX_AGILICUS_TOKEN_REASON_NO_IDENTITY);
}


static ngx_uint_t
ngx_agilicus_token_create_identified(ngx_http_request_t *r,
    const ngx_agilicus_token_create_conf_t *conf)
{
    void                       *basic;
    ngx_str_t                   realm, *uri;
    ngx_http_complex_value_t   *value;
    ngx_http_variable_value_t  *v;

    if (conf->ssl) {
        v = ngx_http_get_indexed_variable(r, conf->verify_index);

        return v && !v->not_found
               && v->len == sizeof("SUCCESS") - 1
               && ngx_strncmp(v->data, "SUCCESS", v->len) == 0;
    }

    /* no access phase has looked at who asked for a subrequest */

    if (r != r->main) {
        return 0;
    }

    if (conf->request_index != NGX_CONF_UNSET_UINT) {
        uri = r->loc_conf[conf->request_index];

        if (uri && uri->len) {
            return 1;
        }
    }

    if (conf->basic_index == NGX_CONF_UNSET_UINT) {
        return 0;
    }

    /* the realm says whether it is on; it may be a variable */

    basic = r->loc_conf[conf->basic_index];
    value = basic ? *(ngx_http_complex_value_t **) basic : NULL;

    if (value == NULL
        || ngx_http_complex_value(r, value, &realm) != NGX_OK
        || (realm.len == 3 && ngx_strncmp(realm.data, "off", 3) == 0))
    {
        return 0;
    }

    return r->headers_in.user.len != 0;
}


/* NGX_DECLINED if anything comes out empty: nobody was identified */

static ngx_int_t
ngx_agilicus_token_create_values(ngx_http_request_t *r,
    const ngx_agilicus_token_create_conf_t *conf,
    ngx_agilicus_token_json_create_t *what)
{
    ngx_int_t  rc;

    ngx_memzero(what, sizeof(ngx_agilicus_token_json_create_t));

    if (ngx_http_complex_value(r, conf->sub, &what->sub) != NGX_OK
        || ngx_http_complex_value(r, conf->org, &what->org) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (what->sub.len == 0 || what->org.len == 0) {
        return NGX_DECLINED;
    }

    rc = ngx_agilicus_token_create_list(r, conf->audiences, &what->audiences,
                                        &what->naudiences);

    if (rc == NGX_OK) {
        rc = ngx_agilicus_token_create_list(r, conf->scopes, &what->scopes,
                                            &what->nscopes);
    }

    if (rc == NGX_OK) {
        rc = ngx_agilicus_token_create_list(r, conf->roles, &what->roles,
                                            &what->nroles);
    }

    what->duration = conf->duration;

    return rc;
}


static ngx_int_t
ngx_agilicus_token_create_list(ngx_http_request_t *r, ngx_array_t *values,
    ngx_str_t **list, ngx_uint_t *n)
{
    ngx_str_t                  *s;
    ngx_uint_t                  i;
    ngx_http_complex_value_t   *value;

    if (values == NULL) {
        return NGX_OK;
    }

    s = ngx_palloc(r->pool, values->nelts * sizeof(ngx_str_t));
    if (s == NULL) {
        return NGX_ERROR;
    }

    value = values->elts;

    for (i = 0; i < values->nelts; i++) {
        if (ngx_http_complex_value(r, &value[i], &s[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        if (s[i].len == 0) {
            return NGX_DECLINED;
        }
    }

    *list = s;
    *n = values->nelts;

    return NGX_OK;
}


/* the request for creation itself is what a token was created for */

static ngx_int_t
ngx_agilicus_token_create_key(ngx_http_request_t *r,
    ngx_agilicus_token_ctx_t *ctx,
    const ngx_agilicus_token_json_create_t *what)
{
    ngx_str_t  parts[2];

    ngx_str_set(&parts[0], "\0create\0");

    parts[1].data = ngx_pnalloc(r->pool,
                                ngx_agilicus_token_json_create(NULL, what));
    if (parts[1].data == NULL) {
        return NGX_ERROR;
    }

    parts[1].len = ngx_agilicus_token_json_create(parts[1].data, what);

    return ngx_agilicus_token_digest(ctx->key, parts, 2);
}


static ngx_int_t
ngx_agilicus_token_create_ask(ngx_http_request_t *r,
    ngx_agilicus_token_ctx_t *ctx, const ngx_agilicus_token_loc_conf_t *lcf,
    ngx_agilicus_token_json_create_t *what)
{
    ngx_int_t                           rc;
    ngx_agilicus_token_answer_t         answer;
    ngx_agilicus_token_create_t         create;
    ngx_agilicus_token_budget_client_t  client;

    ngx_agilicus_token_budget_client(r->connection->sockaddr, &client);

    ngx_memzero(&create, sizeof(ngx_agilicus_token_create_t));

    create.origin = lcf->origin;
    create.what = *what;
    create.key = ctx->key;
    create.seen = ctx->seen;
    create.connect_timeout = lcf->api_connect_timeout;
    create.timeout = lcf->api_timeout;
    create.client = &client;

    ctx->step = NGX_AGILICUS_TOKEN_STEP_CREATE;

    ctx->waiter.done = ngx_agilicus_token_exchange_answered;
    ctx->waiter.data = ctx;

    rc = ngx_agilicus_token_grant_create(&create, &ctx->waiter, &answer);

    if (ngx_agilicus_token_exchange_wait(r, ctx, lcf, rc, &answer)
        == NGX_AGAIN)
    {
        return NGX_AGAIN;
    }

    return ngx_agilicus_token_create_answer(r, ctx, lcf);
}


static ngx_int_t
ngx_agilicus_token_create_answer(ngx_http_request_t *r,
    ngx_agilicus_token_ctx_t *ctx, const ngx_agilicus_token_loc_conf_t *lcf)
{
    switch (ctx->class) {

    case NGX_AGILICUS_TOKEN_CLASS_ACTIVE:
        return ngx_agilicus_token_create_present(ctx);

    case NGX_AGILICUS_TOKEN_CLASS_INVALID:
        return ngx_agilicus_token_exchange_refuse(r, ctx, lcf,
                                        NGX_AGILICUS_TOKEN_VERDICT_FORBIDDEN,
                                        NGX_AGILICUS_TOKEN_REASON_CREATE);

    default:
        return ngx_agilicus_token_exchange_refuse(r, ctx, lcf,
                                      NGX_AGILICUS_TOKEN_VERDICT_UNAVAILABLE,
                                      ctx->answer_reason);
    }
}


/* from here on the request is one that came with this token */

static ngx_int_t
ngx_agilicus_token_create_present(ngx_agilicus_token_ctx_t *ctx)
{
    ngx_str_t  part;

    if (ctx->upstream.len == 0) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->token = ctx->upstream;
    part = ctx->token;

    if (ngx_agilicus_token_digest(ctx->digest, &part, 1) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->has_token = 1;
    ctx->has_digest = 1;
    ctx->created = 1;
    ctx->known = 0;
    ctx->seen = 0;
    ctx->class = NGX_AGILICUS_TOKEN_CLASS_NONE;
    ctx->state = NGX_AGILICUS_TOKEN_STATE_NEW;
    ctx->step = NGX_AGILICUS_TOKEN_STEP_PRESENTED;

    return NGX_OK;
}


/* NGX_AGAIN if the request waits, NGX_OK with the answer taken */

static ngx_int_t
ngx_agilicus_token_exchange_wait(ngx_http_request_t *r,
    ngx_agilicus_token_ctx_t *ctx, const ngx_agilicus_token_loc_conf_t *lcf,
    ngx_int_t rc, ngx_agilicus_token_answer_t *answer)
{
    if (rc != NGX_AGAIN) {
        ngx_agilicus_token_exchange_take(ctx, answer);
        return NGX_OK;
    }

    ctx->exchanging = 1;

    if (ngx_agilicus_token_wait(r, ctx, lcf) == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    ngx_memzero(answer, sizeof(ngx_agilicus_token_answer_t));

    answer->class = NGX_AGILICUS_TOKEN_CLASS_INDETERMINATE;
    answer->reason = NGX_AGILICUS_TOKEN_REASON_INTERNAL;
    answer->retry_after = -1;

    ngx_agilicus_token_exchange_take(ctx, answer);

    return NGX_OK;
}


static void
ngx_agilicus_token_exchange_answered(void *data,
    ngx_agilicus_token_answer_t *answer)
{
    ngx_agilicus_token_ctx_t *ctx = data;

    ngx_agilicus_token_exchange_take(ctx, answer);
    ngx_agilicus_token_wake(ctx);
}


void
ngx_agilicus_token_exchange_take(ngx_agilicus_token_ctx_t *ctx,
    ngx_agilicus_token_answer_t *answer)
{
    ngx_agilicus_token_facts_t  child;

    ctx->exchanging = 0;
    ctx->class = answer->class;
    ctx->answer_reason = answer->reason;
    ctx->retry_after = answer->retry_after;

    if (answer->class != NGX_AGILICUS_TOKEN_CLASS_ACTIVE) {
        return;
    }

    if (ctx->step == NGX_AGILICUS_TOKEN_STEP_VERIFY) {

        ctx->is_less = 0;

        if (ngx_agilicus_token_facts_open(&child, answer->facts.data,
                                          answer->facts.len)
            == NGX_OK)
        {
            ctx->is_less = ngx_agilicus_token_reissue_is_less(ctx, &child);
            ctx->child_has_exp = child.has_exp;
            ctx->child_exp = child.exp;
        }

        return;
    }

    if (ngx_agilicus_token_keep_secret(ctx->request, &answer->token,
                                       &ctx->upstream)
        != NGX_OK)
    {
        ctx->class = NGX_AGILICUS_TOKEN_CLASS_INDETERMINATE;
        ctx->answer_reason = NGX_AGILICUS_TOKEN_REASON_INTERNAL;
    }
}


/* a token of the edge's, in the request's pool, zeroed with it */

static ngx_int_t
ngx_agilicus_token_keep_secret(ngx_http_request_t *r, const ngx_str_t *token,
    ngx_str_t *kept)
{
    ngx_str_t           *s;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_str_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    s = cln->data;

    s->len = 0;
    s->data = ngx_pnalloc(r->pool, token->len);

    if (s->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(s->data, token->data, token->len);
    s->len = token->len;

    cln->handler = ngx_agilicus_token_wipe_secret;

    *kept = *s;

    return NGX_OK;
}


static void
ngx_agilicus_token_wipe_secret(void *data)
{
    ngx_str_t *s = data;

    ngx_explicit_memzero(s->data, s->len);
}


static ngx_int_t
ngx_agilicus_token_exchange_refuse(ngx_http_request_t *r,
    ngx_agilicus_token_ctx_t *ctx, const ngx_agilicus_token_loc_conf_t *lcf,
    ngx_agilicus_token_verdict_e verdict, ngx_agilicus_token_reason_e reason)
{
    ngx_str_null(&ctx->upstream);

    ctx->step = NGX_AGILICUS_TOKEN_STEP_DONE;

    ngx_agilicus_token_say(ctx, verdict, reason);
    ngx_agilicus_token_conclude(r, ctx, lcf);

    if (ctx->client->watched) {
        ngx_agilicus_token_recheck_remove(ctx->client);
    }

    return ngx_agilicus_token_challenge(r, ctx);
}
